import Base

extension RegistryClient {
    /// Stores an image under a tag; blobs that the registry has are not sent again.
    ///
    /// - Returns: the digest of the image.
    public func push(_ archive: OCIArchive, tag: String) async throws(RegistryError) -> String {
        for blob in archive.blobs {
            try await put(blob.digest, bytes: blob.bytes) { range throws(RegistryError) in try archive.read(blob.digest, range) }
        }
        return try await putManifest(archive.manifest, type: archive.manifestType, tag: tag)
    }

    private static let textType = "text/plain; charset=utf-8"

    /// Stores a text under a tag, as an artifact with one layer.
    public func push(text: String, tag: String) async throws(RegistryError) {
        let (bytes, configuration) = (Array(text.utf8), Array("{}".utf8))
        func descriptor(_ bytes: [UInt8], _ type: String) -> JSONValue {
            ["mediaType": .string(type), "digest": .string("sha256:" + SHA256.hex(of: bytes)), "size": JSONValue(bytes.count)]
        }
        let type = "application/vnd.oci.image.manifest.v1+json"
        let manifest: JSONValue = [
            "schemaVersion": 2, "mediaType": .string(type), "config": descriptor(configuration, "application/vnd.oci.empty.v1+json"),
            "layers": [descriptor(bytes, Self.textType)],
        ]
        for content in [configuration, bytes] {
            try await put("sha256:" + SHA256.hex(of: content), bytes: content.count) { range throws(RegistryError) in Array(content[range]) }
        }
        _ = try await putManifest(manifest.serialized(), type: type, tag: tag)
    }

    /// The text that was stored under a tag; nil when there is none.
    public func text(ofTag tag: String) async throws(RegistryError) -> String? {
        guard let manifest = try await manifest(ofTag: tag), let layer = (try? JSONValue(parsing: manifest))?["layers"]?.array?.first,
            let digest = layer["digest"]?.string, Self.isDigest(digest), layer["size"]?.int ?? .max <= 1 << 20
        else { return nil }
        return String(decoding: try await blob(digest), as: UTF8.self)
    }
}
