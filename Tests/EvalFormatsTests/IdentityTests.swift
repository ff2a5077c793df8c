import Base
import EvalModel
import Testing

@Suite("run ids and the trial matrix")
struct IdentityTests {
    /// Computed apart, with Python's hashlib over json.dumps(..., separators=(",", ":"), ensure_ascii=False).
    @Test(
        "a run id is the hash of the compact JSON array",
        arguments: [
            ("uid-1", "oracle", "test-dataset", "hello-world", 1, 0, "6478f4f0df1075c7"),
            ("uid-1", "oracle", "test-dataset", "hello-world", 1, 1, "80a589d541062723"),
            ("uid-1", "a/b \"quoted\"", "dätä", "t\n", 100_000, 0, "3a2966c4b8b4189d"),
        ])
    func runID(uid: String, agent: String, dataset: String, task: String, attempt: Int, rerun: Int, expected: String) {
        let id = RunID(jobUID: uid, agent: agent, dataset: dataset, task: task, attempt: attempt, rerun: rerun)
        #expect(id.rawValue == expected)
        #expect(id.path == "\(expected.prefix(2))/\(expected.dropFirst(2))")
    }

    @Test("the job's own record has an id of the job alone; catalogue 47: another uid, other ids")
    func jobID() {
        #expect(RunID(jobUID: "uid-1").rawValue == "ebaa39c414f8f0a5")
        #expect(RunID(jobUID: "uid-1") != RunID(jobUID: "uid-2"))
        let first = RunID(jobUID: "uid-1", agent: "a", dataset: "d", task: "t", attempt: 1, rerun: 0)
        #expect(first != RunID(jobUID: "uid-2", agent: "a", dataset: "d", task: "t", attempt: 1, rerun: 0))
    }

    @Test(
        "only sixteen lower-case hex digits are an id",
        arguments: [
            ("0123456789abcdef", true), ("0123456789ABCDEF", false), ("0123456789abcde", false), ("0123456789abcdef0", false),
            ("../3456789abcdef", false), ("", false), ("0123456789abcdeg", false),
        ])
    func reading(text: String, isID: Bool) {
        #expect((RunID(text) != nil) == isID)
    }

    @Test("an id is a string in JSON")
    func coding() throws {
        let id = RunID(jobUID: "uid-1")
        let value = try JSONValueEncoder().encode([id])
        #expect(value == .array([.string(id.rawValue)]))
        #expect(try JSONValueDecoder().decode([RunID].self, from: value) == [id])
        #expect(throws: JSONDecodingError.self) { try JSONValueDecoder().decode([RunID].self, from: ["nope"]) }
    }

    @Test("agents x tasks x attempts, the attempt fastest")
    func order() throws {
        let datasets = [
            Dataset(name: "d1", tasks: [TaskReference(name: "x", path: "x"), TaskReference(name: "y", path: "y")]),
            Dataset(name: "d2", tasks: [TaskReference(name: "x", path: "x")]),
        ]
        let matrix = try TrialMatrix(agents: ["a", "b"], datasets: datasets, attempts: 2, rerun: 3)
        #expect(
            matrix.map { "\($0.index) \($0.agent) \($0.dataset)/\($0.task) \($0.attempt)" } == [
                "0 a d1/x 1", "1 a d1/x 2", "2 a d1/y 1", "3 a d1/y 2", "4 a d2/x 1", "5 a d2/x 2",
                "6 b d1/x 1", "7 b d1/x 2", "8 b d1/y 1", "9 b d1/y 2", "10 b d2/x 1", "11 b d2/x 2",
            ])
        #expect(matrix.allSatisfy { $0.rerun == 3 })
        #expect(matrix[8].agentIndex == 1)
        #expect(matrix[8].taskIndex == 1)
        #expect(matrix.indexes(ofAgent: 1) == 6..<12)
        #expect(matrix.coordinate(at: 12) == nil)
        #expect(matrix.coordinate(at: -1) == nil)
        #expect(Set(matrix.map { $0.runID(jobUID: "u") }).count == 12)
    }

    @Test("the coordinates of a hundred thousand trials are computed, not stored")
    func large() throws {
        let tasks = (0..<500).map { TrialMatrix.TaskKey(dataset: "d", task: "t\($0)") }
        let matrix = try TrialMatrix(agents: ["a", "b"], tasks: tasks, attempts: 100)
        #expect(matrix.count == 100_000)
        #expect(
            matrix[99_999]
                == TrialCoordinate(
                    index: 99_999, agent: "b", agentIndex: 1, dataset: "d", task: "t499", taskIndex: 499, attempt: 100))
        #expect(try TrialMatrix(agents: [], tasks: tasks, attempts: 1).isEmpty)
    }

    @Test("a matrix that is too large or whose trials are not distinct is refused")
    func refused() {
        let key = TrialMatrix.TaskKey(dataset: "d", task: "t")
        func error(_ agents: [String], _ tasks: [TrialMatrix.TaskKey], _ attempts: Int) -> TrialMatrixError? {
            do throws(TrialMatrixError) {
                _ = try TrialMatrix(agents: agents, tasks: tasks, attempts: attempts)
                return nil
            } catch { return error }
        }
        #expect(error(["a"], [key], 0) == .noAttempts(0))
        #expect(error(["a", "a"], [key], 1) == .repeatedAgent("a"))
        #expect(error(["a"], [key, key], 1) == .repeatedTask(key))
        #expect(error(["a"], [key], 100_001) == .tooMany(agents: 1, tasks: 1, attempts: 100_001))
        #expect(error(["a", "b"], [key], .max) == .tooMany(agents: 2, tasks: 1, attempts: .max))
    }
}
