package import Configuration
internal import Drivers
internal import FileTree
internal import Programs
internal import SystemPackage

/// Tells whom the policy names what a night found.
package struct Notifier: Sendable {
    private let policy: NotifyPolicy
    private let sendmail: String

    /// A notifier; `sendmail` is the program that takes a mail.
    package init(_ policy: NotifyPolicy, sendmail: String = "/usr/sbin/sendmail") {
        self.policy = policy
        self.sendmail = sendmail
    }

    /// Sends the report where it is wanted and returns it, with what could not be sent among its problems.
    ///
    /// `hadProblems` says whether the night before had any: that they are over is told once.
    package func send(_ report: NightReport, hadProblems: Bool) async -> NightReport {
        var report = report
        let isNews = !report.problems.isEmpty || hadProblems
        if let webhook = policy.webhook, isNews || webhook.when == .always {
            if let problem = await post(report, webhook) { report.problems.append(problem) }
        }
        if let mail = policy.mail, isNews || mail.when == .always {
            do {
                try await Program(
                    sendmail, ["-i", "--"] + mail.to,
                    input: Array(report.mail(to: mail.to, from: mail.from).utf8)
                ).runSuccessfully()
            } catch {
                report.problems.append(
                    .init(
                        "notify",
                        "the mail to \(mail.to.joined(separator: ", ")) could not be sent: \(error)",
                        hint: "see that \(sendmail) works, or take 'mail' out of the policy"))
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
                "notify", "the webhook could not be told: \(reason)",
                hint: "see that its address in the policy is right, and that this host may reach it")
        }
        do {
            var url = webhook.url ?? ""
            if let file = webhook.urlFile {
                url =
                    String(decoding: try Files.read(file, limit: 1 << 16), as: UTF8.self)
                    .split(separator: "\n").first.map(String.init) ?? ""
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
