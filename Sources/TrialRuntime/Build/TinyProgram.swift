import Glibc

/// A program of a few instructions that ends with 0: an executable for Linux without any library, so that an image `FROM scratch` can run it.
enum TinyProgram {
    /// Its bytes for this machine; nil for an architecture that is not known.
    static var bytes: [UInt8]? {
        #if arch(x86_64)
            // mov eax, 60 (exit); xor edi, edi; syscall
            return elf(machine: 62, code: [0xB8, 0x3C, 0, 0, 0, 0x31, 0xFF, 0x0F, 0x05])
        #elseif arch(arm64)
            // mov x8, #93 (exit); mov x0, #0; svc #0
            return elf(machine: 183, code: [0xA8, 0x0B, 0x80, 0xD2, 0, 0, 0x80, 0xD2, 0x01, 0, 0, 0xD4])
        #else
            return nil
        #endif
    }

    /// An ELF file with one segment.
    private static func elf(machine: UInt16, code: [UInt8]) -> [UInt8] {
        let (base, start): (UInt64, UInt64) = (0x400000, 0x78)
        func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        let size = start + UInt64(code.count)
        var header: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        header += little(UInt16(2)) + little(machine) + little(UInt32(1)) + little(base + start) + little(UInt64(64)) + little(UInt64(0))
        header += little(UInt32(0)) + little(UInt16(64)) + little(UInt16(56)) + little(UInt16(1)) + [0, 0, 0, 0, 0, 0]
        let segment = little(UInt32(1)) + little(UInt32(5)) + little(UInt64(0)) + little(base) + little(base) + little(size) + little(size)
        return header + segment + little(UInt64(0x1000)) + code
    }
}
