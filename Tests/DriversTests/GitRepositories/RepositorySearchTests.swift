import FileTree
import Programs
import SnapshotModel
import SystemPackage
import TestSupport
import Testing

@testable import Drivers

@Suite struct RepositorySearchTests {
    @Test func aDirectoryOfNothingButRepositoriesIsFound() async throws {
        try await withTemporaryDirectory { directory in
            try await shell(
                "git init -q --bare git/team/a.git; git init -q git/work; git init -q git/work/inner; mkdir other; git init -q --bare other/x.git; mkdir other/files",
                in: directory)
            let found = try GitRepositoriesDriver.detect(directory.appending("git"))
            #expect(found?.summary == "2 git repositories")
            #expect(try GitRepositoriesDriver.detect(directory.appending("other")) == nil)
            let all = RepositorySearch.all(in: directory.appending("git"), called: "git")
            #expect(all.map(\.path.description) == ["team/a.git", "work/.git", "work/inner/.git"])
        }
    }

    /// All that is asked of a survey is of one moment.
    @Test func aSurveyDoesNotSeeWhatIsMadeAfterIt() async throws {
        try await withTemporaryDirectory { directory in
            try await shell("git init -q --bare git/a.git", in: directory)
            let paths = SettingValue.list(["\(directory)/git"])
            let driver = try GitRepositoriesDriver(
                Component(name: "git", driver: "git-repositories", settings: ["paths": paths]))
            let survey = driver.surveyed()
            try await shell("git init -q --bare git/b.git", in: directory)
            let root = try #require(driver.places().first).name
            let path = EntryPath("b.git/objects/ab")
            func objects(_ driver: GitRepositoriesDriver) -> EntryClass {
                driver.classification(of: root).entryClass(of: path, isDirectory: true)
            }
            #expect(survey.repositories().map(\.path.description) == ["a.git"])
            #expect(objects(survey) == .source && objects(driver) == .derived)
            #expect(survey.surveyed().repositories() == driver.repositories())
            #expect(driver.repositories().count == 2)
        }
    }

    @Test func aFileCalledAsGitsIsNoRepositoryUnlessItNamesOne() async throws {
        try await withTemporaryDirectory { directory in
            try await shell(
                "git init -q main; git -C main -c user.name=a -c user.email=b commit -q --allow-empty -m x; git -C main worktree add -q ../linked; mkdir other; printf 'gitdir' >other/.git",
                in: directory)
            let linked = try GitRepositoriesDriver.detect(directory.appending("linked"))
            #expect(linked?.summary == "1 git repository")
            #expect(try GitRepositoriesDriver.detect(directory.appending("other")) == nil)
        }
    }

    @Test func whatIsInARepositoryThatIsNotCapturedIsTold() async throws {
        try await withTemporaryDirectory { directory in
            try await shell(
                """
                mkdir git; for r in away git/near; do git init -q $r
                git -C $r -c user.name=a -c user.email=b commit -q --allow-empty -m x; done
                git -C away worktree add -q ../git/linked; git -C git/near worktree add -q ../next
                git init -q --separate-git-dir=apart.git git/apart; mkdir git/behind; ln -s ../../away/.git git/behind/.git
                mkdir git/other; echo 'gitdir: ' >git/other/.git; mkdir -p git/own.git/worktrees/tree
                cp -R away/.git/. git/own.git; cp git/own.git/HEAD git/own.git/worktrees/tree
                echo ../../../../away/.git >git/own.git/worktrees/tree/commondir
                """, in: directory)
            func freeze(_ paths: [String]) async throws -> Frozen {
                try await GitRepositoriesDriver(
                    Component(name: "git", driver: "git-repositories", settings: ["paths": .list(paths)])
                ).freeze(scratch: directory, cache: directory)
            }
            let told = try await freeze(["\(directory)/git"])
            for name in ["apart", "behind", "linked"] {
                #expect(
                    told.notes.count {
                        $0.contains("/git/\(name)/.git: the repository of this working tree is at")
                    } == 1, "\(told.notes)")
            }
            #expect(told.notes.count == 3, "\(told.notes)")
            let missed = told.unreadable.map(\.path)
            #expect(missed.count == 1)
            #expect(missed.first?.hasSuffix("/git/own.git/worktrees/tree/commondir") == true, "\(missed)")
            let whole = try await freeze(["\(directory)/git", "\(directory)/away", "\(directory)/apart.git"])
            #expect(whole.notes.isEmpty && whole.unreadable.isEmpty, "\(whole.notes)")
        }
    }

    @Test(arguments: [
        ("[remote \"o\"]\n\turl = https://me:pw@host/x\n", EntryClass.secret),
        ("[http]\n\textraHeader = Authorization: x\n", .secret), ("[core]\n\tbare = true\n", .config),
    ]) func aConfigWithAPasswordIsASecret(_ text: String, _ expected: EntryClass) throws {
        try withTemporaryDirectory { directory in
            try Files.replace(directory.appending("config"), with: Array(text.utf8))
            let rules = RepositoryClasses.rules(.root, in: directory)
            let matcher = Classification.Matcher(Classification(rules, defaultClass: .source))
            #expect(matcher.entryClass(matcher.start, name: Array("config".utf8)[...]) == expected)
        }
    }
}
