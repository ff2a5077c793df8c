import Base
import Foundation
import Subprocess

/// An image without a builder: an OCI archive of a few bytes, made with tar.
struct TestImage {
    let archive: String
    let digest: String

    /// - Parameters:
    ///   - bytes: of its layer.
    ///   - change: changes the manifest before it is written.
    init(in folder: String, layer bytes: [UInt8], change: (inout JSONValue) -> Void = { _ in }) async throws {
        let root = "\(folder)/layout"
        Directory.removeTree(root)
        try Directory.make("\(root)/blobs/sha256")
        func store(_ bytes: [UInt8], _ type: String) throws -> JSONValue {
            let hex = SHA256.hex(of: bytes)
            try FileWriting.replace("\(root)/blobs/sha256/\(hex)", with: bytes, durable: false)
            return ["mediaType": .string(type), "digest": .string("sha256:\(hex)"), "size": JSONValue(bytes.count)]
        }
        let configuration = try store(
            Array(#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#.utf8), "application/vnd.oci.image.config.v1+json"
        )
        let layer = try store(bytes, "application/vnd.oci.image.layer.v1.tar")
        let type = "application/vnd.oci.image.manifest.v1+json"
        var manifest: JSONValue = ["schemaVersion": 2, "mediaType": .string(type), "config": configuration, "layers": [layer]]
        change(&manifest)
        let listed = try store(manifest.serialized(), type)
        digest = listed["digest"]?.string ?? ""
        let index: JSONValue = ["schemaVersion": 2, "manifests": [listed]]
        try FileWriting.replace("\(root)/index.json", with: index.serialized(), durable: false)
        try FileWriting.replace("\(root)/oci-layout", with: Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8), durable: false)
        archive = "\(folder)/image.tar"
        let made = try await Command("tar", ["-C", root, "-cf", archive, "."], deadlineSeconds: 30).run()
        guard made.succeeded else { throw Failure(message: made.stderrText) }
    }

    struct Failure: Error { let message: String }

    /// Runs the body with a folder that is removed then.
    static func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = "\(NSTemporaryDirectory())/assay-registry-\(UUID().uuidString)"
        try Directory.make(folder)
        defer { Directory.removeTree(folder) }
        try await body(folder)
    }
}
