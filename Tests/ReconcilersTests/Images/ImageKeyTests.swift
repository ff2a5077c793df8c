import EvalModel
import Planning
import Testing

@testable import Reconcilers

@Suite("Keys of images")
struct ImageKeyTests {
    @Test("the same input gives the same key; each part of it counts")
    func parts() {
        let key = ImageKey(context: "abc", arguments: ["A": "1", "B": "2"], place: BuildPlace(scope: "", settings: "podman 4"))
        #expect(key == ImageKey(context: "abc", arguments: ["B": "2", "A": "1"], place: BuildPlace(scope: "", settings: "podman 4")))
        #expect(key.tag.count == 40 && key.hex.hasPrefix(key.tag))
        let others = [
            ImageKey(context: "abd", arguments: ["A": "1", "B": "2"], place: BuildPlace(scope: "", settings: "podman 4")),
            ImageKey(context: "abc", arguments: ["A": "1", "B": "3"], place: BuildPlace(scope: "", settings: "podman 4")),
            ImageKey(context: "abc", arguments: ["A": "1"], place: BuildPlace(scope: "", settings: "podman 4")),
            ImageKey(context: "abc", arguments: ["A": "1", "B": "2"], place: BuildPlace(scope: "", settings: "podman 5")),
            ImageKey(context: "abc", arguments: [:], place: BuildPlace(scope: "", settings: "A1B2")),
        ]
        #expect(Set(others + [key]).count == 6)
    }

    @Test(
        "the digest in a reference, or in what a node calls an image",
        arguments: [
            ("x@sha256:\(String(repeating: "a", count: 64))", true), ("sha256:\(String(repeating: "0", count: 64))", true),
            ("docker.io/library/x:1@sha256:\(String(repeating: "f", count: 64))", true), ("x:1", false), ("rootfs:/", false), ("", false),
            ("x@sha256:abc", false),
        ])
    func digest(text: String, isOne: Bool) {
        #expect((TrialCollection.digest(text) != nil) == isOne)
        #expect(TrialCollection.digest(text).map { text.hasSuffix($0) } ?? true)
    }
}
