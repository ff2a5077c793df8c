import Glibc

/// An entry of `allowed_hosts`: a host name, `*.name`, an IP address, or a CIDR range. Source of the rules: Harbor's
/// `_validate_allowed_host_names` and Python's `ipaddress`.
enum AllowedHost {
    /// The entry in Harbor's normal form; nil when it is none.
    static func normalized(_ entry: String) -> String? {
        var host = entry.trimmed.lowercased()
        while host.last == "." { host.removeLast() }
        if host.isEmpty { return nil }
        if host.contains("/") { return network(host) }
        if host.contains(":") { return bytes(host, AF_INET6).map(text) }
        if host.hasPrefix("*.") {
            let suffix = String(host.dropFirst(2))
            return bytes(suffix, AF_INET) == nil && isName(suffix) ? host : nil
        }
        return isName(host) ? host : nil
    }

    private static func isName(_ host: String) -> Bool {
        host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            guard (1...63).contains(label.utf8.count), label.first != "-", label.last != "-" else { return false }
            return label.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") }
        }
    }

    // MARK: Addresses

    /// The address in network byte order.
    private static func bytes(_ text: String, _ family: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: family == AF_INET ? 4 : 16)
        return inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    private static func text(_ address: [UInt8]) -> String {
        guard address.count == 16 else { return address.map(String.init).joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(address[$0]) << 8 | UInt16(address[$0 + 1]) }
        // The first longest run of at least two zeros is left out (RFC 5952).
        var best = 0..<0
        var start = 0
        while start < groups.count {
            guard groups[start] == 0 else {
                start += 1
                continue
            }
            let end = groups[start...].firstIndex { $0 != 0 } ?? groups.count
            if end - start > max(1, best.count) { best = start..<end }
            start = end
        }
        func hex(_ part: ArraySlice<UInt16>) -> String { part.map { String($0, radix: 16) }.joined(separator: ":") }
        return best.isEmpty ? hex(groups[...]) : "\(hex(groups[..<best.lowerBound]))::\(hex(groups[best.upperBound...]))"
    }

    /// A range whose host bits are all 0. The mask is a number of bits or, for IPv4, a netmask or a host mask.
    private static func network(_ text: String) -> String? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let address = bytes(parts[0], AF_INET) ?? bytes(parts[0], AF_INET6),
            let prefix = prefix(parts[1], address.count)
        else { return nil }
        for (index, byte) in address.enumerated() {
            let kept = min(8, max(0, prefix - index * 8))
            guard byte & UInt8(truncatingIfNeeded: 0xFF >> kept) == 0 else { return nil }
        }
        return "\(Self.text(address))/\(prefix)"
    }

    private static func prefix(_ mask: String, _ bytesOfAddress: Int) -> Int? {
        if !mask.isEmpty, mask.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            return Int(mask).flatMap { (0...bytesOfAddress * 8).contains($0) ? $0 : nil }
        }
        guard bytesOfAddress == 4, let bytes = bytes(mask, AF_INET) else { return nil }
        let bits = bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let ones = bits.leadingZeroBitCount == 0 ? (~bits).leadingZeroBitCount : 0
        if bits == 0 || ones == 32 || bits << ones == 0 { return ones }
        // A host mask such as 0.0.0.255.
        let zeros = bits.leadingZeroBitCount
        return (~bits) << zeros == 0 ? zeros : nil
    }
}
