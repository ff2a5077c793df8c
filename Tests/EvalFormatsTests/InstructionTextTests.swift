import EvalFormats
import Testing

@Suite struct InstructionTextTests {
    /// The texts on the right are what `strip_canary` of Harbor 0.26 makes of those on the left.
    static let table = [
        ("<!-- harbor-canary GUID 1 -->\nDo it.\n", "Do it.\n"), ("# terminal-bench-canary GUID 1\n\n\nDo it.\n", "Do it.\n"),
        ("  <!-- CANARY -->  \n#canary\nDo it.", "Do it."), ("Do it.\n# canary\n", "Do it.\n# canary\n"), ("\n\n  Do it.\n", "  Do it.\n"),
        ("# Title\nDo it.", "# Title\nDo it."), ("<!-- canary\n-->\nDo it.", "<!-- canary\n-->\nDo it."),
        ("<!-- canary --> Do it.\n", "<!-- canary --> Do it.\n"), ("# canary", ""), ("\n# canary\nDo it.", "# canary\nDo it."), ("", ""),
        ("<!-- a -->\n<!-- canary -->\nDo it.", "<!-- a -->\n<!-- canary -->\nDo it."),
    ]

    @Test("leading canary lines and blank lines of Harbor's instructions are not shown to agents", arguments: table)
    func harbor(_ text: String, _ shown: String) {
        #expect(String(decoding: InstructionText.shown(Array(text.utf8), family: .harbor), as: UTF8.self) == shown)
        #expect(InstructionText.shown(Array(text.utf8), family: .rollout) == Array(text.utf8), "Rollout has no such rule")
    }

    @Test func bytesThatAreNotTextStay() {
        #expect(InstructionText.shown([0xFF, 0x0A, 0xFE], family: .harbor) == [0xFF, 0x0A, 0xFE])
    }
}
