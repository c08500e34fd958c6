/// Puts plugins into the order in which they load, and finds circles, as `CyclicGraphDetector` does.
///
/// With its quirk: after a circle was found its path keeps a stale entry, so that a second circle may come out longer than
/// it is, and take plugins with it that are on none. What is deactivated is decided by that, so it is kept.
struct CircleSearch {
    private let edges: [[Int]]
    private var visited: Set<Int> = []
    private var visiting: Set<Int> = []
    private var path: [Int] = []
    /// Every node after those it has edges to.
    private(set) var order: [Int] = []
    /// Each with its first node again at its end.
    private(set) var circles: [[Int]] = []

    init(edges: [[Int]]) {
        self.edges = edges
    }

    mutating func run() {
        for node in edges.indices { visit(node) }
    }

    private mutating func visit(_ node: Int) {
        guard visited.insert(node).inserted else { return }
        visiting.insert(node)
        path.append(node)
        for next in edges[node] {
            // Who is being visited is on the path: what is pushed above it is popped before it is.
            if visiting.contains(next), let start = path.firstIndex(of: next) {
                path.append(next)
                circles.append(Array(path[start...]))
            }
            visit(next)
        }
        visiting.remove(node)
        path.removeLast()
        order.append(node)
    }
}
