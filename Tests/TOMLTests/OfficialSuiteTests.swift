import Base
import Foundation
import TOML
import Testing

/// The official test cases for TOML 1.0.0; see `Fixtures/README.md`.
@Suite("official toml-test cases, 1.0.0")
struct OfficialSuiteTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var root: String
        var name: String
        var testDescription: String { name }

        func bytes(_ name: String) throws -> [UInt8] {
            [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(root)/\(name)")))
        }
    }

    static let all = cases(
        in: URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/toml-test").path,
        list: "files-toml-1.0.0")

    private static func cases(in root: String, list: String) -> [Case] {
        guard let text = try? String(contentsOfFile: "\(root)/\(list)", encoding: .utf8) else { return [] }
        return text.split(separator: "\n").filter { $0.hasSuffix(".toml") }.map { Case(root: root, name: String($0)) }
    }

    @Test("the suite is complete")
    func present() {
        #expect(Self.all.count { $0.name.hasPrefix("valid/") } == 210)
        #expect(Self.all.count { $0.name.hasPrefix("invalid/") } == 499)
    }

    @Test("a valid document has the expected value", arguments: all.filter { $0.name.hasPrefix("valid/") })
    func valid(_ test: Case) throws {
        let table = try TOML.parse(test.bytes(test.name))
        let expected = try JSONValue(parsing: test.bytes(test.name.dropLast(5) + ".json"))
        #expect(try tagged(.table(table)) == canonical(expected))
    }

    @Test("an invalid document is refused, with a position in it", arguments: all.filter { $0.name.hasPrefix("invalid/") })
    func invalid(_ test: Case) throws {
        let bytes = try test.bytes(test.name)
        let error = try #require(throws: TOMLError.self) { try TOML.parse(bytes) }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        #expect((1...lines.count).contains(error.position.line))
        #expect((1...(lines[error.position.line - 1].count + 1)).contains(error.position.column))
    }

    // MARK: The suite's tagged JSON: {"type": "integer", "value": "1"}

    private func tagged(_ value: TOMLValue) throws -> JSONValue {
        switch value {
        case .string(let text): ["type": "string", "value": .string(text)]
        case .integer(let number): ["type": "integer", "value": .string(String(number))]
        case .float(let number): ["type": "float", "value": .string(floatText(number))]
        case .boolean(let flag): ["type": "bool", "value": .string(String(flag))]
        case .dateTime(let time): ["type": .string(kind(of: time)), "value": .string(instant(time.description))]
        case .array(let elements): .array(try elements.map { try tagged($0.value) })
        case .table(let table):
            .object(Dictionary(uniqueKeysWithValues: try table.entries.map { ($0.key, try tagged($0.node.value)) }))
        }
    }

    private func kind(of time: TOMLDateTime) -> String {
        if time.offsetMinutes != nil { return "datetime" }
        return time.day == nil ? "time-local" : time.time == nil ? "date-local" : "datetime-local"
    }

    /// The expected value, with floats and times in the same notation as in `tagged`.
    private func canonical(_ value: JSONValue) throws -> JSONValue {
        switch value {
        case .array(let elements): return .array(try elements.map(canonical))
        case .object(let members):
            guard members.count == 2, let type = members["type"]?.string, let text = members["value"]?.string else {
                return .object(try members.mapValues(canonical))
            }
            let same: String =
                switch type {
                case "float": floatText(try #require(Double(text)))
                case "datetime", "datetime-local", "date-local", "time-local": instant(text)
                default: text
                }
            return ["type": .string(type), "value": .string(same)]
        default: return value
        }
    }

    private func floatText(_ number: Double) -> String { number.isNaN ? "nan" : "\(number)" }

    /// A time with an offset as an instant; other times without trailing zeros of the fraction.
    private func instant(_ text: String) -> String {
        if let time = Timestamp(rfc3339: text) { return time.rfc3339Micro }
        guard text.contains(".") else { return text }
        var shorter = text
        while shorter.last == "0" { shorter.removeLast() }
        if shorter.last == "." { shorter.removeLast() }
        return shorter
    }
}
