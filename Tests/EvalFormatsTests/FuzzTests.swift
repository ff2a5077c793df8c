import Base
import EvalModel
import Foundation
import Testing

@testable import EvalFormats

/// Random changes of real files: each reader gives a value or an error that says where, and ends.
///
/// ASSAY_FUZZ_SECONDS is the length (default: 3). An input that fails, or takes longer than it may, is written to Fixtures/fuzz, where it stays as a
/// test.
@Suite("Fuzzing the readers")
struct FuzzTests {
    private static let folder = Fixture.repository + "/Tests/EvalFormatsTests/Fixtures/fuzz"
    /// Far longer than any input needs: the machine may be busy.
    private static let secondsAllowed = 300.0

    /// Gives the bytes to every reader. What is thrown must be an error of the readers with a message.
    private static func read(_ bytes: [UInt8]) -> String? {
        func check(_ what: String, _ body: () throws -> Void) -> String? {
            do { try body() } catch let error as TrialError {
                if error.type != .taskInvalid || error.message.isEmpty { return "\(what): \(error)" }
            } catch let error as FileFormatError {
                if error.description.isEmpty { return "\(what): an error without words" }
            } catch {
                return "\(what): \(error)"
            }
            return nil
        }
        for format in TaskSchema.allCases {
            if let problem = check("task.toml", { _ = try TaskConfig.parse(bytes, name: "t", format: format) }) { return problem }
        }
        return check("registry.json", { _ = try RegistryFile.parse(bytes) }) ?? check("job.yaml", { _ = try JobFile.parse(bytes) })
            ?? check("fixtures.lock", { _ = try FixturesLock.parse(bytes) })
            ?? check("docker-compose.yaml") {
                let document = try ComposeDocument(bytes, of: EvalTask(name: "t", schema: .harbor, schemaVersion: "1.0"))
                // A file of variables may have anything in it, too.
                _ = try ComposeFile.read(document, files: Dictionary(uniqueKeysWithValues: document.environmentFiles.map { ($0, bytes) }))
            }
    }

    @Test("inputs that once failed, or are known to be hard")
    func kept() async throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder).sorted()
        try #require(!names.isEmpty)
        for name in names {
            let bytes = try Fixture.bytes("fuzz/\(name)")
            let began = SystemTime().monotonic()
            #expect(Self.read(bytes) == nil, "\(name)")
            #expect(SystemTime().monotonic() - began < Self.secondsAllowed, "\(name)")
        }
    }

    @Test("random changes of real files")
    func random() async throws {
        let seconds = Double(ProcessInfo.processInfo.environment["ASSAY_FUZZ_SECONDS"] ?? "") ?? 3
        let seed = UInt64.random(in: 0 ... .max)
        let corpus = try Self.corpus()
        let current = Locked<(bytes: [UInt8], since: Double)>(([], SystemTime().monotonic()))
        let done = Locked(false)
        let count = Locked(0)
        let failures = Locked<[String]>([])
        // A thread of its own: a reader that does not end must not hold up the test.
        let thread = Thread {
            var mutation = Mutation(seed: seed, corpus: corpus)
            let end = SystemTime().monotonic() + seconds
            while SystemTime().monotonic() < end, failures.withLock({ $0.count }) < 5 {
                let bytes = mutation.next()
                current.withLock { $0 = (bytes, SystemTime().monotonic()) }
                if let problem = Self.read(bytes) {
                    Self.keep(bytes)
                    failures.withLock { $0.append(problem) }
                }
                count.withLock { $0 += 1 }
            }
            done.withLock { $0 = true }
        }
        thread.stackSize = 8 << 20
        thread.start()
        while !done.withLock({ $0 }) {
            try await Task.sleep(for: .milliseconds(50))
            let (bytes, since) = current.withLock { $0 }
            guard SystemTime().monotonic() - since < Self.secondsAllowed else {
                Self.keep(bytes)
                Issue.record("an input is read for more than \(Self.secondsAllowed) s (seed \(seed)); it is in \(Self.folder)")
                return
            }
        }
        for failure in failures.withLock({ $0 }) { Issue.record("\(failure) (seed \(seed)); the input is in \(Self.folder)") }
        #expect(count.withLock { $0 } > 0)
        print("fuzzed with \(count.withLock { $0 }) inputs in \(seconds) s, seed \(seed)")
    }

    private static func keep(_ bytes: [UInt8]) {
        try? Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/found-\(SHA256.hex(of: bytes).prefix(12))"))
    }

    private static func corpus() throws -> [[UInt8]] {
        var files = try ["tasks/harbor.toml", "tasks/rollout.toml", "job.yaml"].map { try Fixture.bytes($0) }
        for name in try FileManager.default.contentsOfDirectory(atPath: Fixture.repository + "/Tests/EvalFormatsTests/Fixtures/rollout").sorted() {
            files.append(try Fixture.bytes("rollout/\(name)"))
        }
        for path in ["registry.json", "formats/harbor/compose-services/environment/docker-compose.yaml"] {
            files.append([UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(Fixture.repository)/test-dataset/\(path)"))))
        }
        let cases = String(decoding: try Fixture.bytes("harbor-cases.jsonl"), as: UTF8.self)
        for line in cases.split(separator: "\n").prefix(400) {
            if let toml = try JSONValue(parsing: String(line))["toml"]?.string { files.append(Array(toml.utf8)) }
        }
        return files
    }
}

/// Changes files in small ways and large ones.
private struct Mutation {
    private var random: Generator
    private let corpus: [[UInt8]]

    /// What the formats' grammars are made of.
    private static let tokens: [String] = [
        "[", "]", "[[", "]]", "{", "}", "\"", "'", "\"\"\"", "'''", "=", ".", ",", ":", "- ", "#", "\n", "\r\n", "\t", "\\", "\\u", "\\U0010FFFF",
        "\0", "\u{FEFF}", "inf", "nan", "-0", "1e999", "0x", "9223372036854775808", "1979-05-27T07:32:00Z", "true", "null", "&a", "*a", "<<: *a",
        "!!binary", "|", ">-", "%YAML 1.1", "---", "...", "? ", "é", "\u{1F600}", "[[steps]]\nname = 's'\n", "${A:-b}", "99999999999999999999999",
    ]

    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        // SplitMix64.
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    init(seed: UInt64, corpus: [[UInt8]]) {
        random = Generator(state: seed)
        self.corpus = corpus
    }

    mutating func next() -> [UInt8] {
        var bytes = corpus.randomElement(using: &random) ?? []
        for _ in 0..<Int.random(in: 1...6, using: &random) { change(&bytes) }
        return Array(bytes.prefix(1 << 18))
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        let end = min(bytes.count, place + Int.random(in: 0...20, using: &random))
        switch Int.random(in: 0..<8, using: &random) {
        case 0: bytes.removeSubrange(place..<end)
        case 1: bytes.insert(contentsOf: bytes[place..<end], at: place)
        case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
        case 3: if place < bytes.count { bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
        case 4: bytes.insert(contentsOf: Array((Self.tokens.randomElement(using: &random) ?? "").utf8), at: place)
        case 5:
            let token = Array((Self.tokens.randomElement(using: &random) ?? "").utf8)
            let count = Int.random(in: 1...2000, using: &random)
            bytes.insert(contentsOf: repeatElement(token, count: count).joined(), at: place)
        case 6:
            let other = corpus.randomElement(using: &random) ?? []
            let start = Int.random(in: 0...other.count, using: &random)
            bytes.insert(contentsOf: other[start..<min(other.count, start + 200)], at: place)
        default: bytes.removeSubrange(place...)
        }
    }
}
