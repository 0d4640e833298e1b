if {[catch {agent put {{id}} host {{host}} port {{port}} owner {{owner}} etag {{version}}} wk_said]} {
    if {[string match "the agent is not as expected:*" $wk_said] || [string match "the agent belongs to *" $wk_said]} {
        puts {{overtaken}}
    }
    error $wk_said
}
puts {{done}}
