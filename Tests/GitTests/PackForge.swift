import Base
import Git
import Testing

/// Valid and invalid packs, made byte by byte.
enum PackForge {
    /// An object as stored in a pack: type and size, then the content as an uncompressed zlib stream.
    /// - Parameter claiming: the size in the header; nil: the correct size.
    static func object(_ type: Int, _ content: [UInt8], base: [UInt8] = [], claiming size: Int? = nil) -> [UInt8] {
        var rest = size ?? content.count
        var bytes: [UInt8] = []
        var byte = UInt8(type << 4 | rest & 15)
        rest >>= 4
        while rest > 0 {
            bytes.append(byte | 0x80)
            byte = UInt8(rest & 0x7F)
            rest >>= 7
        }
        bytes.append(byte)
        bytes += base
        // One stored block (RFC 1951, 3.2.4) in a zlib stream (RFC 1950).
        let count = UInt16(content.count)
        let lengths: [UInt8] = [UInt8(count & 255), UInt8(count >> 8), UInt8(~count & 255), UInt8(~count >> 8)]
        bytes += [0x78, 0x01, 0x01]
        bytes += lengths
        bytes += content
        var a: UInt32 = 1
        var b: UInt32 = 0
        for byte in content {
            a = (a + UInt32(byte)) % 65521
            b = (b + a) % 65521
        }
        bytes += big(b << 16 | a)
        return bytes
    }

    private static func big(_ number: UInt32) -> [UInt8] {
        [UInt32(24), 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    static func blob(_ text: String) -> [UInt8] { object(3, Array(text.utf8)) }

    static func id(_ kind: String, _ content: [UInt8]) -> [UInt8] { SHA1.digest(of: Array("\(kind) \(content.count)\0".utf8) + content) }

    static func treeContent(_ files: [(String, String)]) -> [UInt8] {
        var content: [UInt8] = []
        for (name, text) in files.sorted(by: { $0.0 < $1.0 }) {
            content += Array("100644 \(name)\0".utf8)
            content += id("blob", Array(text.utf8))
        }
        return content
    }

    /// A delta that copies a whole text of less than 128 bytes (gitformat-pack(5), "Deltified representation").
    static func copy(of text: String) -> [UInt8] {
        let count = UInt8(text.utf8.count)
        return [count, count, 0x90, count]
    }

    static func pack(_ objects: [[UInt8]], count: Int? = nil) -> [UInt8] {
        var bytes: [UInt8] = [0x50, 0x41, 0x43, 0x4B, 0, 0, 0, 2]
        bytes += big(UInt32(truncatingIfNeeded: count ?? objects.count))
        for object in objects { bytes += object }
        return bytes + SHA1.digest(of: bytes)
    }

    /// Files in one folder.
    static func pack(of files: [(String, String)], objects: [[UInt8]]? = nil) throws -> GitStore.Pack {
        let content = treeContent(files)
        return GitStore.Pack(
            bytes: pack((objects ?? files.map { blob($0.1) }) + [object(2, content)]), tree: try #require(GitObjectID(hex(id("tree", content)))))
    }
}
