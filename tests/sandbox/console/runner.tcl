# Runs one script of the Console's ScriptRunner: tclsh runner.tcl PORT
#
# The script comes over a loopback connection to the Console, and what it says and asks goes back there: one line a message,
# words separated by blanks, each word an x and the hexadecimal digits of its UTF-8. So no text, however it is made, can be
# taken for something else on the way. The script itself runs in a safe interpreter, which has no files, no processes and no
# sockets.

proc packed {text} {
    binary scan [encoding convertto utf-8 $text] H* digits
    return x$digits
}

proc unpacked {word} {
    return [encoding convertfrom utf-8 [binary format H* [string range $word 1 end]]]
}

proc say {verb args} {
    set line $verb
    foreach word $args {
        append line " " [packed $word]
    }
    puts $::console $line
    flush $::console
}

proc command_puts {args} {
    set end "\n"
    if {[llength $args] > 1 && [lindex $args 0] eq "-nonewline"} {
        set end ""
        set args [lrange $args 1 end]
    }
    if {[llength $args] == 2 && [lindex $args 0] eq "stdout"} {
        set args [lrange $args 1 end]
    }
    if {[llength $args] != 1} {
        error "wrong # args: should be \"puts ?-nonewline? ?stdout? string\""
    }
    say puts [lindex $args 0]$end
}

# Answers: "text WORD", "list WORD ..." or "error WORD".
proc command_agent {args} {
    eval [linsert $args 0 say agent]
    if {[gets $::console line] < 0} {
        exit 1
    }
    set words {}
    foreach word [lrange [split $line " "] 1 end] {
        lappend words [unpacked $word]
    }
    switch -- [lindex [split $line " "] 0] {
        text { return [lindex $words 0] }
        list { return $words }
        default { error [lindex $words 0] }
    }
}

set console [socket 127.0.0.1 [lindex $argv 0]]
fconfigure $console -encoding ascii -translation lf
gets $console line

interp create -safe runner
interp alias runner puts {} command_puts
interp alias runner agent {} command_agent
# The Console speaks Tcl 8.4: what came later is taken away, so that no script leans on it; and what a safe interpreter
# of 8.4 did not have.
foreach later {encoding file apply chan coroutine dict lassign lmap lrepeat lreverse oo::class oo::copy oo::define oo::objdefine
        oo::object tailcall throw try yield yieldto zlib} {
    catch { runner eval [list rename $later {}] }
}

switch -- [catch { runner eval [unpacked $line] } message] {
    0 - 2 { say done }
    1 { say error $message }
    default { say error "invoked \"break\" or \"continue\" outside of a loop" }
}
close $console
