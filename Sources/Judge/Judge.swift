/// What the evidence comes to under a policy.
///
/// Pure: the same evidence and the same policy give the same verdict, to the byte. A fail weighs more than a broken
/// experiment, that more than an open question, and a pass needs every stage of the policy to pass: without evidence
/// there is none.
package func judge(_ evidence: Evidence, under policy: CanaryPolicy) -> Verdict {
    Judgement(evidence, policy).verdict
}

/// What is still to be run before the evidence can be judged; nothing, when it can.
///
/// Asked before the first boot it is the plan of the canary, asked after each stage and each look what comes next. It
/// ends at the first stage that fails.
package func demand(of evidence: Evidence, under policy: CanaryPolicy) -> Demand {
    Judgement(evidence, policy).demand
}
