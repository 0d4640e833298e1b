# Writes a line for each agent that may be one of ours: its id, host, port, owner and etag, each as x and the numbers of
# its letters, so that no text can be taken for anything else.
foreach wk_id [agent list] {
    if {[string compare $wk_id "{{id}}"] != 0 && [string first "{{id}}-" $wk_id] != 0} {
        continue
    }
    if {[catch {agent get $wk_id} wk_got]} {
        if {[lsearch -exact [agent list] $wk_id] < 0} {
            # It went away since it was listed.
            continue
        }
        error $wk_got
    }
    catch {unset wk_agent}
    array set wk_agent $wk_got
    set wk_line "watchkeeper: agent"
    foreach wk_field {id host port owner etag} {
        append wk_line " x"
        foreach wk_letter [split $wk_agent($wk_field) ""] {
            scan $wk_letter %c wk_number
            append wk_line [format %x. $wk_number]
        }
    }
    puts $wk_line
}
puts {{done}}
