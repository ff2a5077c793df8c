import AssayAPI
import Base
import Foundation
import Testing

/// The definitions in the executable are those in manifests/crds.
@Suite struct EmbeddedDefinitionsTests {
    @Test(arguments: [
        ("evaljobs", CustomResourceDefinitions.evalJobs), ("evaltargets", CustomResourceDefinitions.evalTargets),
        ("overlaysources", CustomResourceDefinitions.overlaySources),
    ])
    func areTheManifests(name: String, text: String) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let file = try String(contentsOf: root.appending(path: "manifests/crds/\(name).yaml"), encoding: .utf8)
        #expect(text == file, "run `make generate`")
    }
}
