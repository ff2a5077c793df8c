import EvalFormats
import Testing

@Suite("fixtures.lock")
struct FixturesLockTests {
    private static let digest = String(repeating: "ab", count: 32)

    private func parse(_ text: String) throws(FileFormatError) -> FixturesLock { try FixturesLock.parse(Array(text.utf8)) }

    @Test("an array, or an object with a version; written sorted")
    func formats() throws {
        let blob = "{\"path\": \"data/x.bin\", \"url\": \"https://example.com/x\", \"sha256\": \"\(Self.digest.uppercased())\", \"size\": 12}"
        let expected = FixturesLock(blobs: [
            FixturesLock.Blob(path: "data/x.bin", url: "https://example.com/x", sha256: Self.digest, size: 12)
        ])
        #expect(try parse("[\(blob)]") == expected)
        #expect(try parse("{\"version\": 1, \"fixtures\": [\(blob)]}") == expected)
        #expect(try parse("[]").blobs.isEmpty)
        let two = FixturesLock(blobs: [
            FixturesLock.Blob(path: "b", url: "u", sha256: Self.digest, size: 0),
            FixturesLock.Blob(path: "a", url: "u", sha256: Self.digest, size: 1),
        ])
        #expect(try FixturesLock.parse(two.serialized()).blobs.map(\.path) == ["a", "b"])
    }

    @Test(
        "mistakes are named with their place",
        arguments: [
            ("[{\"url\": \"u\", \"sha256\": \"D\", \"size\": 1}]", "fixtures.lock: [0].path: is required"),
            ("[{\"path\": \"../x\", \"url\": \"u\", \"sha256\": \"D\", \"size\": 1}]", "must not contain .."),
            ("[{\"path\": \".git/hooks/x\", \"url\": \"u\", \"sha256\": \"D\", \"size\": 1}]", "must not name .git"),
            ("[{\"path\": \".\", \"url\": \"u\", \"sha256\": \"D\", \"size\": 1}]", "must name a file"),
            ("[{\"path\": \"a\", \"sha256\": \"D\", \"size\": 1}]", "url: is required"),
            ("[{\"path\": \"a\", \"url\": \"u\", \"sha256\": \"abc\", \"size\": 1}]", "sha256: must be 64 hexadecimal digits"),
            ("[{\"path\": \"a\", \"url\": \"u\", \"sha256\": \"D\"}]", "size: is required"),
            ("[{\"path\": \"a\", \"url\": \"u\", \"sha256\": \"D\", \"size\": -1}]", "size: must be at least 0"),
            (
                "[{\"path\": \"a\", \"url\": \"u\", \"sha256\": \"D\", \"size\": 1}, {\"path\": \"./a\", \"url\": \"u\", \"sha256\": \"D\", \"size\": 1}]",
                "[1].path: \"a\" is given twice"
            ),
            ("{\"fixtures\": [3]}", "fixtures[0]: must be an object"), ("{\"version\": 2, \"fixtures\": []}", "version: must be 1"),
            ("3", "must be an object, not a number"), ("[", "line 1"),
        ])
    func mistakes(text: String, message: String) {
        let error = #expect(throws: FileFormatError.self) { try parse(text.replacing("\"D\"", with: "\"\(Self.digest)\"")) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }
}
