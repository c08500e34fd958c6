package import Configuration
internal import Drivers
internal import FileTree
internal import Programs
internal import SystemPackage

/// Tells whom the policy names what a night found.
package struct Notifier: Sendable {
    private let policy: NotifyPolicy

    /// A notifier.
    package init(_ policy: NotifyPolicy) {
        self.policy = policy
    }

    /// Whether people are to be told of a night after the night `last`: of what was not wrong before, once; that nothing is
    /// wrong any more, once; and of what goes on, when it went on for as long as the policy says since they were told.
    ///
    /// Who could not be told last night is told tonight.
    package static func isNews(_ report: NightReport, after last: NightReport?, remindAfter: Int64) -> Bool {
        let known = Set((last?.problems ?? []).map(\.identity))
        guard !report.problems.isEmpty else { return !known.isEmpty }
        // A report that cannot be kept, again: what else was wrong the night before cannot be known.
        let isSame = report.isLost && last?.isLost == true
        guard isSame || report.problems.allSatisfy({ known.contains($0.identity) }), let told = last?.told,
            last?.problems.contains(where: { $0.kind == "notify" }) == false
        else { return true }
        // A clock that was set back is no reason to say nothing for long.
        return !(0..<remindAfter).contains(report.finished - told)
    }

    /// Sends the report where it is wanted and returns it, with what could not be sent among its problems.
    ///
    /// `last` is the report of the night before.
    package func send(_ report: NightReport, after last: NightReport?) async -> NightReport {
        var report = report
        let isNews = Self.isNews(report, after: last, remindAfter: policy.remindAfter)
        report.told = report.problems.isEmpty ? nil : isNews ? report.finished : last?.told
        if let webhook = policy.webhook, isNews || webhook.when == .always {
            if let problem = await post(report, webhook) { report.problems.append(problem) }
        }
        if let mail = policy.mail, isNews || mail.when == .always {
            do {
                try await Program(
                    mail.program.string, ["-i", "--"] + mail.to,
                    input: Array(report.mail(to: mail.to, from: mail.from).utf8)
                ).runSuccessfully()
            } catch {
                report.problems.append(
                    .init(
                        "notify",
                        "the mail to \(mail.to.joined(separator: ", ")) could not be sent: \(error)",
                        hint: "make sure that \(mail.program) works, or take 'mail' out of the policy"))
            }
        }
        if let textfile = policy.textfile {
            do {
                try Files.replace(textfile, with: Array(report.metrics.utf8), mode: 0o644)
            } catch {
                report.problems.append(
                    .init(
                        "notify", "the metrics could not be written: \(error)",
                        hint: "make the directory of \(textfile), or take 'textfile' out of the policy"))
            }
        }
        return report
    }

    /// What kept the document from its receiver, nil when nothing did; never with the address.
    private func post(_ report: NightReport, _ webhook: NotifyPolicy.Webhook) async -> NightReport.Problem? {
        func problem(_ reason: String) -> NightReport.Problem {
            .init(
                "notify", "the webhook could not be notified: \(reason)",
                hint: "make sure that its address in the policy is right and that this host can reach it")
        }
        do {
            var url = webhook.url ?? ""
            if let file = webhook.urlFile {
                url =
                    String(decoding: try Files.read(file, limit: 1 << 16), as: UTF8.self)
                    .split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
            }
            guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
                return problem("it has no address")
            }
            let document =
                try webhook.template.map { report.document($0) }
                ?? String(decoding: report.json, as: UTF8.self)
            let answer = try await HTTPProbe(url, limit: .seconds(20)).post(
                url.hasSuffix("/") ? "/" : "", document)
            guard (200..<300).contains(answer.status) else { return problem("it answered \(answer.status)") }
            return nil
        } catch let failure as HTTPFailure {
            return problem("no answer, curl ended with \(failure.code)")
        } catch {
            return problem("\(error)")
        }
    }
}
