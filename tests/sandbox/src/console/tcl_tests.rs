//! Scripts in each interpreter that this machine has.

use std::sync::Mutex;

use proptest::prelude::*;

use super::*;

fn interpreters() -> Vec<Interpreter> {
    let mut found = vec![Interpreter::find().unwrap()];
    let python = on_path("python3").filter(|python| {
        let import = std::process::Command::new(python).args(["-c", "import tkinter"]).output();
        import.is_ok_and(|output| output.status.success())
    });
    found.extend(python.map(Interpreter::Python));
    found.dedup();
    found
}

#[derive(Default)]
struct Asked(Mutex<Vec<Vec<String>>>);

impl Agents for Asked {
    async fn answer(&self, words: &[String]) -> Reply {
        self.0.lock().unwrap().push(words.to_vec());
        match words.first().map(String::as_str) {
            Some("list") => Reply::List(vec!["a b".into(), "$x".into(), String::new()]),
            Some("fail") => Reply::Error("no [such] $thing".into()),
            _ => Reply::Text("ü".into()),
        }
    }
}

async fn run(interpreter: &Interpreter, script: &str, within: Duration) -> (String, End, Vec<Vec<String>>) {
    let folder = tempfile::tempdir().unwrap();
    let tcl = Tcl { interpreter: interpreter.clone(), log: folder.path().join("tcl.log"), within };
    let asked = Asked::default();
    let (written, end) = tcl.run(script, &asked).await.unwrap();
    (written, end, asked.0.into_inner().unwrap())
}

const LONG: Duration = Duration::from_mins(1);

#[tokio::test]
async fn scripts_write_ask_and_fail() {
    for interpreter in interpreters() {
        let script =
            "puts -nonewline {a [b] $c }\nputs stdout ü\nforeach id [agent list] {puts <$id>}\nputs [agent get x]";
        let (written, end, asked) = run(&interpreter, script, LONG).await;
        assert_eq!(written, "a [b] $c ü\n<a b>\n<$x>\n<>\nü\n", "{interpreter:?}");
        assert_eq!((end, asked.len()), (End::Done, 2));
        for (script, error) in [
            ("puts before; error {it broke}; puts after", "it broke"),
            ("puts before\nagent fail", "no [such] $thing"),
            ("puts before\nif {1} {", "missing close-brace"),
        ] {
            let (written, end, _) = run(&interpreter, script, LONG).await;
            assert_eq!(written, "before\n");
            assert!(matches!(&end, End::Error(text) if text.starts_with(error)), "{end:?}");
        }
        let (_, end, _) = run(&interpreter, "return early; error late", LONG).await;
        assert_eq!(end, End::Done);
    }
}

#[tokio::test]
async fn a_script_reaches_nothing_of_this_machine_and_nothing_newer_than_8_4() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let shown = mark.display();
    for interpreter in interpreters() {
        for script in [
            format!("exec touch {shown}"),
            format!("open {shown} w"),
            format!("agent get [exec touch {shown}]"),
            format!("interp create x; x eval {{exec touch {shown}}}"),
            format!("interp invokehidden {{}} open {shown} w"),
            "socket 127.0.0.1 1".to_owned(),
            "exit".to_owned(),
            "file delete x".to_owned(),
            "source /etc/passwd".to_owned(),
            "load x.so".to_owned(),
            "glob *".to_owned(),
            "dict create a b".to_owned(),
            "lassign {a b} c d".to_owned(),
        ] {
            let (_, end, asked) = run(&interpreter, &script, LONG).await;
            assert!(matches!(end, End::Error(_)), "{interpreter:?} {script}: {end:?}");
            assert_eq!(asked, Vec::<Vec<String>>::new(), "{script}");
        }
        assert!(!mark.exists());
    }
}

#[tokio::test]
async fn a_script_that_does_not_end_is_cut_off_and_what_it_wrote_is_there() {
    let interpreter = Interpreter::find().unwrap();
    let (written, end, _) = run(&interpreter, "puts begun; while 1 {}", Duration::from_secs(3)).await;
    assert_eq!((written.as_str(), end), ("begun\n", End::CutOff));
}

proptest! {
    #[test]
    fn any_text_is_one_word_and_comes_back(text in any::<String>()) {
        let word = packed(&text);
        prop_assert!(!word.contains([' ', '\n']));
        prop_assert_eq!(unpacked(&word), Some(text));
    }

    #[test]
    fn gibberish_is_no_text(word in "[^x].{0,8}|x[0-9a-f]|xg.") {
        prop_assert_eq!(unpacked(&word), None);
    }
}
