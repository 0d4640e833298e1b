if {[catch {agent delete {{id}} etag {{version}}} wk_said] && [lsearch -exact [agent list] {{id}}] >= 0} {
    if {[string match "the agent is not as expected:*" $wk_said]} {
        puts {{overtaken}}
    }
    error $wk_said
}
puts {{done}}
