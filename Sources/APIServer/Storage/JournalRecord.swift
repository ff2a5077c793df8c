import Base

/// One change as it is stored in a file: length and checksum (4 bytes each, little endian), then the change.
enum JournalRecord: Sendable {
    case put(resource: ResourceID, key: StoreKey, revision: UInt64, body: [UInt8])
    case delete(resource: ResourceID, key: StoreKey, revision: UInt64)
    /// The last record of a snapshot: how many objects the snapshot holds, and its revision.
    case end(revision: UInt64, count: UInt64)

    static func put(resource: ResourceID, object: StoredObject) -> JournalRecord {
        .put(resource: resource, key: object.key, revision: object.revision, body: object.body)
    }

    var revision: UInt64 {
        switch self {
        case .put(_, _, let revision, _), .delete(_, _, let revision), .end(let revision, _): revision
        }
    }

    /// The largest record: it must hold a request body and what the server adds to it.
    static let maximumLength = 64 << 20

    var encoded: [UInt8] {
        var payload: [UInt8] = []
        func number<N: FixedWidthInteger>(_ value: N) {
            withUnsafeBytes(of: value.littleEndian) { payload.append(contentsOf: $0) }
        }
        func text(_ value: String) {
            number(UInt16(clamping: value.utf8.count))
            payload.append(contentsOf: value.utf8.prefix(Int(UInt16.max)))
        }
        switch self {
        case .put(let resource, let key, let revision, let body):
            payload.reserveCapacity(body.count + 128)
            payload.append(1)
            number(revision)
            text(resource.description)
            text(key.text)
            payload.append(contentsOf: body)
        case .delete(let resource, let key, let revision):
            payload.append(2)
            number(revision)
            text(resource.description)
            text(key.text)
        case .end(let revision, let count):
            payload.append(3)
            number(revision)
            number(count)
        }
        var record: [UInt8] = []
        record.reserveCapacity(payload.count + 8)
        withUnsafeBytes(of: UInt32(payload.count).littleEndian) { record.append(contentsOf: $0) }
        withUnsafeBytes(of: CRC32.of(payload).littleEndian) { record.append(contentsOf: $0) }
        return record + payload
    }

    /// Reads the record at an offset; nil when the bytes are not a complete record with a correct checksum.
    static func decode(_ bytes: [UInt8], at offset: Int) -> (record: JournalRecord, end: Int)? {
        var cursor = offset
        func number<N: FixedWidthInteger>(_: N.Type, limit: Int) -> N? {
            let size = MemoryLayout<N>.size
            guard cursor + size <= limit else { return nil }
            var value: N = 0
            for index in 0..<size { value |= N(truncatingIfNeeded: bytes[cursor + index]) << N(index * 8) }
            cursor += size
            return value
        }
        guard let length = number(UInt32.self, limit: bytes.count).map(Int.init),
            let checksum = number(UInt32.self, limit: bytes.count),
            length > 0, length <= maximumLength, cursor + length <= bytes.count
        else { return nil }
        let end = cursor + length
        guard CRC32.of(bytes[cursor..<end]) == checksum else { return nil }
        func text() -> String? {
            guard let count = number(UInt16.self, limit: end).map(Int.init), cursor + count <= end else { return nil }
            defer { cursor += count }
            return String(decoding: bytes[cursor..<cursor + count], as: UTF8.self)
        }
        guard let kind = number(UInt8.self, limit: end), let revision = number(UInt64.self, limit: end) else { return nil }
        switch kind {
        case 1:
            guard let resource = text(), let key = text() else { return nil }
            return (
                .put(
                    resource: ResourceID(qualified: resource), key: StoreKey(text: key), revision: revision,
                    body: Array(bytes[cursor..<end])), end
            )
        case 2:
            guard let resource = text(), let key = text() else { return nil }
            return (.delete(resource: ResourceID(qualified: resource), key: StoreKey(text: key), revision: revision), end)
        case 3:
            guard let count = number(UInt64.self, limit: end) else { return nil }
            return (.end(revision: revision, count: count), end)
        default:
            return nil
        }
    }
}

/// The checksum of gzip and Ethernet (IEEE 802.3).
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 == 1 ? 0xEDB8_8320 ^ (crc >> 1) : crc >> 1 }
    }

    static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes { crc = table[Int((crc ^ UInt32(byte)) & 0xFF)] ^ (crc >> 8) }
        return crc ^ 0xFFFF_FFFF
    }
}
