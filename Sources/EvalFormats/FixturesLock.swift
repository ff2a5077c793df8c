import Base
import EvalModel

/// A `fixtures.lock`: content-addressed files that a benchmark needs and that are not in its repository.
///
/// Either a JSON array of blobs, or an object with `version` 1 and the array under `fixtures`.
public struct FixturesLock: Sendable, Hashable {
    public struct Blob: Sendable, Hashable, Codable {
        /// The file's path, relative to the root of the benchmark.
        public var path: String
        /// Where to download it.
        public var url: String
        /// Sixty-four lower-case hex digits.
        public var sha256: String
        /// In bytes.
        public var size: Int

        public init(path: String, url: String, sha256: String, size: Int) {
            self.path = path
            self.url = url
            self.sha256 = sha256
            self.size = size
        }
    }

    public var blobs: [Blob]

    public init(blobs: [Blob]) {
        self.blobs = blobs
    }

    /// - Parameter file: the file's name, for messages.
    /// - Throws: `FileFormatError` with the path of the value that is wrong.
    public static func parse(_ bytes: [UInt8], file: String = "fixtures.lock") throws(FileFormatError) -> FixturesLock {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw FileFormatError(file: file, place: "line \(error.line), column \(error.column)", message: error.message)
        }
        var blobs: [Blob] = []
        var paths = Set<String>()
        for var reader in try readers(value, file: file) {
            let blob = try blob(&reader)
            guard paths.insert(blob.path).inserted else { throw reader.problem("path", "\"\(blob.path)\" is given twice") }
            blobs.append(blob)
        }
        return FixturesLock(blobs: blobs)
    }

    /// The blobs, in either form.
    private static func readers(_ value: JSONValue, file: String) throws(FileFormatError) -> [ValueReader] {
        if case .array(let elements) = value { return try ValueReader.objects(elements, file: file, path: "") }
        var root = try ValueReader(value, file: file)
        guard try root.integer("version", atLeast: 1) ?? 1 == 1 else { throw root.problem("version", "must be 1") }
        return try root.objects("fixtures")
    }

    private static func blob(_ reader: inout ValueReader) throws(FileFormatError) -> Blob {
        let text = try reader.requiredString("path")
        let path: SourcePath
        do throws(SourcePathError) {
            path = try SourcePath(text)
        } catch {
            throw reader.problem("path", error.description)
        }
        guard !path.isRoot else { throw reader.problem("path", "must name a file") }
        let digest = try reader.requiredString("sha256").lowercased()
        guard digest.utf8.count == 64, digest.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { throw reader.problem("sha256", "must be 64 hexadecimal digits") }
        guard let size = try reader.integer("size", atLeast: 0) else { throw reader.problem("size", "is required") }
        return Blob(path: path.text, url: try reader.requiredString("url"), sha256: digest, size: size)
    }

    /// The array, sorted by path, ending with a newline.
    public func serialized() -> [UInt8] {
        let values = blobs.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }.map { blob -> JSONValue in
            [
                "path": .string(blob.path), "url": .string(blob.url), "sha256": .string(blob.sha256),
                "size": .int(Int64(blob.size)),
            ]
        }
        let bytes = JSONValue.array(values).serialized(pretty: true)
        return bytes.last == UInt8(ascii: "\n") ? bytes : bytes + [UInt8(ascii: "\n")]
    }
}
