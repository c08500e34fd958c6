import Judge
import Configuration
extension CanaryPolicy {
    static func read(for d: SystemDescription) throws -> CanaryPolicy {
        CanaryPolicy(
            classes: Dictionary(
                uniqueKeysWithValues: RiskClass.allCases.map {
                    ($0, CanaryPolicy.Rules(stages: [.static, .boot, .roundTrip, .probes]))
                }))
    }
}
