internal import ArgumentParser

struct ChangeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "change",
        abstract: "Keep proposed changes, to be rehearsed and promoted later.",
        discussion: """
            A change is a commit under refs/changes/SYSTEM/NAME of the store: made here, or pushed there with stock git, as \
            docs/canary.md says. It is kept until it is dropped.

            EXAMPLE
              understudy change new grid-view --plugin buildbot-grid-view@4.3.0 \\
                  --identity recovery.key
              understudy change show grid-view --identity recovery.key
              understudy canary --change grid-view --identity recovery.key

            EXIT STATUS
              that of the subcommand
            """,
        subcommands: [ChangeList.self, ChangeShow.self, ChangeNew.self, ChangeDrop.self])
}
