/// Works out what a request for plugins takes, without a network: the installed files, the core and a catalog decide.
package struct PluginPlanner {
    /// The files of the production's `plugins/`.
    package var installed: [PluginFile]
    /// The core that runs now; where its war is not at hand, its version alone.
    package var currentCore: JenkinsCore
    /// The core that is to run; its spare plugins can be had as well.
    package var core: JenkinsCore
    /// What can be had.
    package var catalog: PluginCatalog

    /// A planner.
    package init(
        installed: [PluginFile], currentCore: JenkinsCore, core: JenkinsCore, catalog: PluginCatalog
    ) {
        self.installed = installed
        self.currentCore = currentCore
        self.core = core
        self.catalog = catalog
        for file in core.spare {
            guard file.fault == nil, let manifest = file.manifest else { continue }
            self.catalog.add(
                PluginRelease(manifest, id: file.id, origin: "WEB-INF/detached-plugins/\(file.name)"))
        }
    }

    /// The plan of a request.
    package func plan(_ request: PluginRequest) -> PluginPlan {
        var closure = PluginClosure(self, request)
        closure.run()
        let files = closure.files()
        let before = LoadPrediction(installed, core: currentCore, lastCore: currentCore.version)
        let prediction = LoadPrediction(files, core: core, lastCore: currentCore.version)
        var plan = PluginPlan(
            steps: closure.steps(), refusals: closure.refusals, leastCore: closure.leastCore, advice: [],
            prediction: prediction)
        plan.refusals += broken(before, prediction, closure)
        plan.advice = advice(plan, before, prediction)
        return plan
    }

    /// What loads today and would not any more, and what comes and would not load.
    private func broken(
        _ before: LoadPrediction, _ after: LoadPrediction, _ closure: PluginClosure
    ) -> [PluginPlan.Refusal] {
        let loaded = after.loaded
        let expected = Set(before.loaded.keys).union(closure.coming).subtracting(closure.request.unwanted)
        return expected.sorted().compactMap { id in
            guard loaded[id] == nil, let outcome = after.outcome(of: id), outcome != .disabled else {
                return nil
            }
            // What it comes from is told by itself.
            let isDerived: (LoadPrediction.Reason) -> Bool = { reason in
                if case .derived(let dependency) = reason { expected.contains(dependency.id) } else { false }
            }
            if case .fails(let reasons) = outcome, reasons.allSatisfy(isDerived) { return nil }
            guard !closure.refusals.contains(where: { $0.id == id }) else { return nil }
            let version = after.plugins.first { $0.id == id }?.version ?? ""
            return .init(
                kind: .breaks, id: id, message: "\(id) \(version) \(outcome)",
                because: closure.chains[id] ?? [])
        }
    }

    private func advice(
        _ plan: PluginPlan, _ before: LoadPrediction, _ after: LoadPrediction
    ) -> [PluginPlan.Advice] {
        var advice = weaknesses(nil, from: currentCore.version, to: core.version)
        let old = before.loaded
        let new = after.loaded
        for id in Set(old.keys).union(new.keys).sorted() {
            advice += weaknesses(id, from: old[id], to: new[id])
        }
        for step in plan.steps {
            guard let release = step.release else { continue }
            if let address = catalog.deprecations[step.id] {
                advice.append(
                    .init(kind: .deprecated, id: step.id, message: "it is deprecated: \(address)"))
            }
            if let since = release.manifest.compatibleSince, let from = step.from,
                VersionNumber(from).isOlder(than: VersionNumber(since))
            {
                advice.append(
                    .init(
                        kind: .incompatibleData, id: step.id,
                        message:
                            "it reads data of \(since) and newer, and \(from) is there: settings may be lost, and going "
                            + "back may need the old configuration too"))
            }
            if release.digest == nil || release.expectedDigest == nil {
                advice.append(
                    .init(
                        kind: .unchecked, id: step.id,
                        message: release.digest == nil
                            ? "its archive is not at hand: \(release.origin)"
                            : "nobody says which digest its archive has to have"))
            }
        }
        return advice
    }

    private func weaknesses(_ id: String?, from old: String?, to new: String?) -> [PluginPlan.Advice] {
        let before = Set(old.map { catalog.warnings(about: id, $0) } ?? [])
        let after = Set(new.map { catalog.warnings(about: id, $0) } ?? [])
        func advice(_ kind: PluginPlan.Advice.Kind, _ warnings: Set<SecurityWarning>, _ what: String)
            -> [PluginPlan.Advice]
        {
            warnings.sorted { $0.id < $1.id }.map {
                .init(kind: kind, id: id, message: "\(what) \($0.id): \($0.message) \($0.address)")
            }
        }
        return advice(.weaknessAdded, after.subtracting(before), "brings")
            + advice(.weaknessFixed, before.subtracting(after), "fixes")
            + advice(.weaknessKept, before.intersection(after), "keeps")
    }
}
