import Testing

@testable import TrialRuntime

@Suite("Names in packs")
struct SafeNameTests {
    static let plain = ["stdout.txt", "ünïcode 名前", "100%", "50% off", "a.git", "gitignore", ".hidden", "-dash", "a b\"c"]
    static let strange: [[UInt8]] =
        [
            ".git", ".GIT", ".Git", ".gitmodules", ".gitattributes", ".git ", ".git.", "git~1", "GIT~2", "gi7eba~1",
            ".g\u{200C}it", ".git::$INDEX_ALLOCATION", "a\\.git", "\u{1B}[31m", "line\nbreak", "tab\t", "%2E", "a%2eb",
            "\u{202E}txt.exe",
        ].map { Array($0.utf8) } + [[0xFF, 0xFE], [0x41, 0xC3], [0xE2, 0x28, 0xA1]]

    @Test("harmless names stay", arguments: plain)
    func stays(_ name: String) {
        #expect(SafeName.encode(Array(name.utf8)) == name)
    }

    @Test("catalogue 55: every other name is printable text that decodes to the original", arguments: strange)
    func reversible(_ name: [UInt8]) {
        let safe = SafeName.encode(name)
        #expect(Array(safe.utf8) != name)
        #expect(SafeName.decode(safe) == name)
        #expect(safe.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && $0 != "\\" })
        #expect(!safe.lowercased().hasPrefix(".git") && !safe.lowercased().hasPrefix("gi"))
    }

    @Test("different names stay different")
    func injective() {
        let all = Self.plain.map { Array($0.utf8) } + Self.strange
        #expect(Set(all.map(SafeName.encode)).count == all.count)
    }

    @Test("a budget is shared by cutting the largest first")
    func allowance() {
        #expect(Allowance.height([1, 2, 3], budget: 6) == nil)
        #expect(Allowance.height([1, 2, 300, 300], budget: 103) == 50)
        #expect(Allowance.height([100, 100], budget: 1) == 0)
        #expect(Allowance.height([], budget: 0) == nil)
        #expect(Allowance.height([5], budget: -1) == 0)
    }
}
