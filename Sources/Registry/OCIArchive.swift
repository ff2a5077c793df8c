import Base
import Glibc

/// An image in a tar file, in the layout of the OCI: `oci-layout`, `index.json` and the blobs by their digests.
public final class OCIArchive: Sendable {
    struct Descriptor: Sendable, Hashable {
        let digest: String
        let bytes: Int
    }

    private let descriptor: Int32
    private let path: String
    /// Where a file's bytes are in the archive.
    private let entries: [String: Range<Int>]
    let manifest: [UInt8]
    let manifestType: String
    /// The configuration, then the layers.
    let blobs: [Descriptor]

    public struct Invalid: Error, Sendable, Hashable, CustomStringConvertible {
        public let description: String
    }

    public init(_ path: String) throws {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw FileError("open", path) }
        do {
            let entries = try TarIndex.entries(of: fd, path)
            func read(_ name: String) throws -> [UInt8] {
                guard let range = entries[name], range.count <= 8 << 20 else { throw Invalid(description: "\(path) has no \(name)") }
                return FileReading.range(fd, range)
            }
            let index = try JSONValue(parsing: try read("index.json"))
            guard let listed = index["manifests"]?.array, listed.count == 1, let digest = listed[0]["digest"]?.string, digest.hasPrefix("sha256:")
            else { throw Invalid(description: "\(path): index.json lists not exactly one image") }
            let manifest = try read("blobs/sha256/\(digest.dropFirst(7))")
            let value = try JSONValue(parsing: manifest)
            var blobs: [Descriptor] = []
            for blob in [value["config"]].compactMap({ $0 }) + (value["layers"]?.array ?? []) {
                guard let digest = blob["digest"]?.string, let bytes = blob["size"]?.int, entries[Self.file(digest)]?.count == bytes else {
                    throw Invalid(description: "\(path): a blob that the image's manifest names is missing")
                }
                if !blobs.contains(where: { $0.digest == digest }) { blobs.append(Descriptor(digest: digest, bytes: bytes)) }
            }
            guard !blobs.isEmpty else { throw Invalid(description: "\(path): the manifest is not an image's") }
            self.manifest = manifest
            manifestType = value["mediaType"]?.string ?? listed[0]["mediaType"]?.string ?? "application/vnd.oci.image.manifest.v1+json"
            self.blobs = blobs
            self.entries = entries
            descriptor = fd
            self.path = path
        } catch {
            close(fd)
            throw error
        }
    }

    deinit { close(descriptor) }

    private static func file(_ digest: String) -> String { "blobs/" + digest.replacing(":", with: "/") }

    /// Bytes of a blob.
    func read(_ digest: String, _ range: Range<Int>) throws(RegistryError) -> [UInt8] {
        guard let entry = entries[Self.file(digest)], range.upperBound <= entry.count else {
            throw RegistryError(.refused, "\(path) has no \(digest)")
        }
        let bytes = FileReading.range(descriptor, (entry.lowerBound + range.lowerBound)..<(entry.lowerBound + range.upperBound))
        guard bytes.count == range.count else { throw RegistryError(.refused, "\(path) was cut while it was read") }
        return bytes
    }
}

/// Finds the files of a tar file (POSIX ustar, with pax headers or GNU long names) without unpacking it.
enum TarIndex {
    private static let block = 512

    /// The bytes of each regular file, by its name without `./`.
    static func entries(of fd: Int32, _ path: String) throws -> [String: Range<Int>] {
        var entries: [String: Range<Int>] = [:]
        var offset = 0
        var extended = Extended()
        while let header = FileReading.piece(fd, at: offset, count: block), header.count == block, header.contains(where: { $0 != 0 }) {
            let type = header[156]
            let isExtension = type == UInt8(ascii: "x") || type == UInt8(ascii: "L")
            guard let size = (isExtension ? nil : extended.size) ?? number(header[124..<136]), (0..<1 << 50).contains(size) else {
                throw OCIArchive.Invalid(description: "\(path) is no tar file")
            }
            let data = (offset + block)..<(offset + block + size)
            switch type {
            case UInt8(ascii: "x"), UInt8(ascii: "L"):
                guard size <= 1 << 20 else { throw OCIArchive.Invalid(description: "\(path): a header of \(size) bytes") }
                let bytes = FileReading.range(fd, data)
                if type == UInt8(ascii: "L") { extended.path = text(bytes[...]) } else { extended.read(bytes) }
            case 0, UInt8(ascii: "0"):
                let prefix = text(header[345..<500])
                let short = text(header[0..<100])
                var name = (extended.path ?? (prefix.isEmpty ? short : "\(prefix)/\(short)"))[...]
                if name.hasPrefix("./") { name = name.dropFirst(2) }
                entries[String(name)] = data
                extended = Extended()
            default: extended = Extended()
            }
            offset = data.upperBound + (block - size % block) % block
        }
        return entries
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

    /// Octal digits, or a big-endian number with the first bit set, for large files.
    private static func number(_ field: ArraySlice<UInt8>) -> Int? {
        if let first = field.first, first & 0x80 != 0 {
            return field.dropFirst(field.count - 8).reduce(0) { $0 << 8 | Int($1) }
        }
        let digits = field.prefix { $0 != 0 && $0 != UInt8(ascii: " ") }
        return digits.isEmpty ? 0 : Int(String(decoding: digits, as: UTF8.self), radix: 8)
    }

    /// What a pax header, or GNU's of a long name, says of the next file.
    private struct Extended {
        var path: String?
        /// Of files that are too large for the 11 octal digits of the file's own header, which then says 0.
        var size: Int?

        /// pax(1), "pax Extended Header": records of the form `LENGTH KEY=VALUE\n`; LENGTH is that of the whole record.
        mutating func read(_ records: [UInt8]) {
            var rest = records[...]
            while let blank = rest.firstIndex(of: UInt8(ascii: " ")),
                let length = Int(String(decoding: rest[..<blank], as: UTF8.self)), length > blank - rest.startIndex + 1, length <= rest.count
            {
                let record = rest[(blank + 1)..<(rest.startIndex + length)].dropLast()
                rest = rest.dropFirst(length)
                guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else { continue }
                let value = String(decoding: record[(equals + 1)...], as: UTF8.self)
                switch String(decoding: record[..<equals], as: UTF8.self) {
                case "path": path = value
                case "size": size = Int(value)
                default: break
                }
            }
        }
    }
}
