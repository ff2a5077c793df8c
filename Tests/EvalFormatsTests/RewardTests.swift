import EvalFormats
import EvalModel
import Testing

@Suite("the reward")
struct RewardTests {
    private func bytes(_ text: String?) -> [UInt8]? { text.map { Array($0.utf8) } }

    @Test(
        "reward.txt holds one finite decimal number",
        arguments: [
            ("1", 1.0), ("0", 0), ("1\n", 1), (" 0.5 \r\n", 0.5), ("-2", -2), ("+1.5", 1.5), (".5", 0.5), ("1.", 1), ("1e-3", 0.001),
            ("2E2", 200), ("1.0\n\n", 1), ("00.5", 0.5),
        ])
    func text(text: String, value: Double) throws {
        let reward = try RewardFiles.parse(json: nil, text: bytes(text))
        #expect(reward.value == value)
        #expect(reward.named == ["reward": value])
    }

    @Test(
        "anything else in reward.txt is invalid",
        arguments: [
            "", " \n", "NaN", "nan", "inf", "-Infinity", "1e999", "0x1p3", "one", "1 2", "1\n0", "1,5", "1_0", "--1", "1e", ".", "+", "true",
            "\u{FEFF}1", "\u{0}", "１",
        ])
    func badText(text: String) {
        let error = #expect(throws: TrialError.self) { try RewardFiles.parse(json: nil, text: bytes(text)) }
        #expect(error?.type == .verifierRewardInvalid)
    }

    @Test(
        "reward.json: `reward`, else the only figure, else the mean",
        arguments: [
            ("{\"reward\": 1}", 1.0), ("{\"reward\": 0.25, \"speed\": 900}", 0.25), ("{\"accuracy\": 0.75}", 0.75),
            ("{\"reward\": true}", 1), ("{\"reward\": false}", 0), ("{\"a\": true, \"b\": 0.5}", 0.75),
            ("{\"a\": 1, \"b\": 0, \"c\": 0.5}", 0.5), (" {\"reward\":1e0}\n", 1),
        ])
    func json(text: String, value: Double) throws {
        #expect(try RewardFiles.parse(json: bytes(text), text: nil).value == value)
    }

    @Test(
        "anything else in reward.json is invalid, also beside a good reward.txt",
        arguments: [
            "", "1", "[1]", "{}", "{\"reward\": \"1\"}", "{\"reward\": null}", "true", "{\"reward\": \"true\"}", "{\"reward\": NaN}",
            "{\"reward\": 1e999}",
            "{\"reward\": 1, \"note\": \"x\"}", "{\"reward\": [1]}", "{\"reward\": 1", "{\"a\": 1e308, \"b\": 1e308}",
        ])
    func badJSON(text: String) {
        let error = #expect(throws: TrialError.self) { try RewardFiles.parse(json: bytes(text), text: bytes("1")) }
        #expect(error?.type == .verifierRewardInvalid)
    }

    @Test("reward.json takes precedence over reward.txt, and the error for neither")
    func precedence() throws {
        #expect(try RewardFiles.parse(json: bytes("{\"reward\": 0}"), text: bytes("1")).value == 0)
        let error = #expect(throws: TrialError.self) { try RewardFiles.parse(json: nil, text: nil) }
        #expect(error?.type == .verifierRewardMissing)
    }

    @Test(
        "the exit code, by each family",
        arguments: [
            (TaskSchema.rollout, 0, "1", nil), (.rollout, 1, "1", .verifierFailed), (.rollout, 1, nil, .verifierFailed),
            (.rollout, 0, nil, .verifierRewardMissing), (.rollout, 0, "x", .verifierRewardInvalid),
            (.harbor, 0, "1", nil), (.harbor, 1, "1", nil), (.harbor, 1, nil, .verifierRewardMissing), (.harbor, 137, "x", .verifierRewardInvalid),
        ] as [(TaskSchema, Int, String?, TrialErrorType?)])
    func rules(family: TaskSchema, exitCode: Int, text: String?, expected: TrialErrorType?) {
        do throws(TrialError) {
            _ = try RewardFiles.verdict(json: nil, text: bytes(text), exitCode: exitCode, family: family)
            #expect(expected == nil)
        } catch {
            #expect(error.type == expected)
            #expect(exitCode == 0 || error.message.contains("exited with \(exitCode)"))
        }
    }

    @Test("a huge file is refused, and what is quoted of one is short and printable")
    func hostile() {
        let huge = [UInt8](repeating: UInt8(ascii: "1"), count: RewardFiles.maximumBytes + 1)
        let size = #expect(throws: TrialError.self) { try RewardFiles.parse(json: nil, text: huge) }
        #expect(size?.message.contains("bytes") == true)
        let long = #expect(throws: TrialError.self) {
            try RewardFiles.parse(json: nil, text: Array(("\u{1B}[31m" + String(repeating: "x", count: 5000)).utf8))
        }
        #expect((long?.message.utf8.count ?? 1000) < 200)
        #expect(long?.message.contains("\u{1B}") == false)
        let key = #expect(throws: TrialError.self) {
            try RewardFiles.parse(json: bytes("{\"" + String(repeating: "k", count: 5000) + "\": \"x\"}"), text: nil)
        }
        #expect((key?.message.utf8.count ?? 1000) < 200)
    }

    @Test("a task with version = \"1.0\" keeps its reward when test.sh fails, unless its dataset is Rollout's")
    func family() throws {
        let toml = Array("version = \"1.0\"".utf8)
        let harbor = try TaskConfig.parse(toml, name: "x").task.schema
        #expect(try RewardFiles.verdict(json: nil, text: bytes("0\n"), exitCode: 1, family: harbor) == Reward(0))
        let rollout = try TaskConfig.parse(toml, name: "x", format: .rollout).task.schema
        let error = #expect(throws: TrialError.self) { try RewardFiles.verdict(json: nil, text: bytes("0\n"), exitCode: 1, family: rollout) }
        #expect(error?.type == .verifierFailed)
    }

    @Test("only exactly 1 is a pass", arguments: [(1.0, true), (0, false), (0.999, false), (2, false), (-1, false)])
    func pass(value: Double, isPass: Bool) {
        #expect(Reward(value).isPass == isPass)
    }
}
