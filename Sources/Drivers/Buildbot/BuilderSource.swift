internal import FileTree
internal import FoundationEssentials
internal import Programs
internal import SnapshotModel
internal import SystemPackage

/// What two states of a master's configuration say of one builder: which files bring it back, and what else they would change.
///
/// A builder is a piece of a program, so that only whole files can be restored. Python's own parser tells what stands in them;
/// nothing of them is run. A builder is the call of `BuilderConfig` with its name as a literal, and everything that this
/// call uses, and so on. Names are taken as the same in all files and functions: that makes a definition rather too large than too
/// small, and what is refused for it is never restored by mistake.
struct BuilderSource: Decodable, Equatable {
    /// Files to restore, by their paths below the master's directory; empty when nothing of the builder differs.
    var files: [String]
    /// What else is different in these files, and would go back with them: `builder probe`, `what all builders use`.
    var others: [String]
    /// Whether the older state defines the builder by a literal name.
    var isDefined: Bool
    /// Files of the older state that name the builder besides, and are different or gone now: a scheduler, say.
    var mentions: [String]
    /// Files that could not be parsed, with the reason.
    var unreadable: [String]

    private struct Question: Encodable {
        var builder: String
        var before: [String: String]
        var now: [String: String]
    }

    /// Compares two states, each the texts of its files by path; `interpreter` is a Python 3.
    static func compare(
        _ builder: String, before: [String: String], now: [String: String], interpreter: String
    ) async throws -> BuilderSource {
        let question = try JSONEncoder().encode(Question(builder: builder, before: before, now: now))
        let outcome: Program.Outcome
        do {
            outcome = try await Program(
                interpreter, ["-I", "-c", script], input: Array(question), limit: .seconds(60),
                outputLimit: 16 << 20
            ).runSuccessfully()
        } catch let failure as ProgramFailure {
            throw DriverFailure(
                "the configuration cannot be read with \(interpreter): \(failure)",
                hint: "restore its files whole: --only file:PATH")
        }
        return try JSONDecoder().decode(BuilderSource.self, from: Data(outcome.output.utf8))
    }

    private static let script = #"""
        import ast, json, sys

        def name_of(node):
            """The literal name of a builder that is made here, None for anything else."""
            if not isinstance(node, ast.Call):
                return None
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, 'id', '')
            if called != 'BuilderConfig':
                return None
            values = [k.value for k in node.keywords if k.arg == 'name'] or node.args[:1]
            value = values[0] if values else None
            return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None

        def words(node):
            return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} | {
                n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}

        class Reading(ast.NodeTransformer):
            """Takes builders and everything that has a name out of a file; what is left is for all."""

            def __init__(self, text):
                self.parts, self.uses = {}, {}
                tree = self.visit(ast.parse(text))
                self.add('', tree)

            def add(self, key, node):
                self.parts.setdefault(key, []).append(ast.dump(node))
                self.uses.setdefault(key, set()).update(words(node))

            def visit_Call(self, node):
                name = name_of(node)
                if name is None:
                    return self.generic_visit(node)
                self.add('builder ' + name, node)
                return ast.Constant(value=None)

            def visit_List(self, node):
                kept = [n for n in node.elts if name_of(n) is None]
                for n in node.elts:
                    if name_of(n) is not None:
                        self.visit(n)
                return self.generic_visit(ast.List(elts=kept, ctx=node.ctx))

            def visit_Expr(self, node):
                call = node.value
                if isinstance(call, ast.Call) and getattr(call.func, 'attr', '') == 'append' and len(
                        call.args) == 1 and name_of(call.args[0]) is not None:
                    self.visit(call.args[0])
                    return None
                return self.generic_visit(node)

            def visit_Assign(self, node):
                node = self.generic_visit(node)
                if len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                    self.add(node.targets[0].id, node.value)
                    return None
                return node

            def visit_AugAssign(self, node):
                node = self.generic_visit(node)
                if isinstance(node.target, ast.Name):
                    self.add(node.target.id, node)
                    return None
                return node

            def named(self, node):
                node = self.generic_visit(node)
                self.add(node.name, node)
                return None

            visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = named

            def imported(self, node):
                for alias in node.names:
                    if alias.name == '*':
                        return node
                    self.add((alias.asname or alias.name).split('.')[0],
                             type(node)(**{**{f: getattr(node, f, None) for f in node._fields}, 'names': [alias]}))
                return None

            visit_Import = visit_ImportFrom = imported

        question = json.load(sys.stdin)
        wanted = 'builder ' + question['builder']
        unreadable = []

        def read(state, when):
            files = {}
            for path, text in sorted(question[state].items()):
                try:
                    files[path] = Reading(text)
                except (SyntaxError, ValueError, RecursionError) as error:
                    unreadable.append('%s, %s: %s' % (path, when, error))
            return files

        before, now = read('before', 'in the snapshot'), read('now', 'now')

        def reach(start):
            """Everything that a part uses, in either state."""
            found, waiting = set(), [start]
            while waiting:
                key = waiting.pop()
                if key in found:
                    continue
                found.add(key)
                for files in (before, now):
                    for reading in files.values():
                        waiting.extend(reading.uses.get(key, ()))
            return found

        changed = {}
        for path in set(before) | set(now):
            old = before[path].parts if path in before else {}
            new = now[path].parts if path in now else {}
            keys = {k for k in set(old) | set(new) if old.get(k) != new.get(k)}
            # A file that is not there has nothing left for all; its absence is no change of that.
            if path not in now or path not in before:
                keys.discard('')
            changed[path] = keys

        own = reach(wanted)
        files = sorted(p for p in before if changed[p] & own)
        builders = sorted({k for r in list(before.values()) + list(now.values()) for k in r.parts
                           if k.startswith('builder ') and k != wanted})
        at_stake = set().union(*(changed[p] for p in files)) if files else set()
        others = [b for b in builders if reach(b) & at_stake]
        if reach('') & at_stake:
            others.append('what all builders use')
        loose = at_stake - own - reach('') - set().union(set(), *(reach(b) for b in builders))
        others += sorted('the name ' + k for k in loose)
        quoted = [q + question['builder'] + q for q in ('"', "'")]
        mentions = sorted(
            p for p, text in question['before'].items()
            if p not in files and any(q in text for q in quoted) and question['now'].get(p) != text)
        json.dump({'files': files, 'others': others, 'isDefined': any(wanted in r.parts for r in before.values()),
                   'mentions': mentions, 'unreadable': unreadable}, sys.stdout)
        """#
}
