extension Redactor {
    /// Redacts a text that arrives in chunks. A secret may be cut anywhere: bytes that may begin one are held back.
    public struct Stream: Sendable {
        private let tables: Tables?
        /// The part of the text, beginning at `base`, that is not written yet.
        private var held: [UInt8] = []
        private var base = 0
        private var scanned = 0
        private var found = Occurrences()

        private var plain: NeedleSet.State = 0
        private var letters = Base64Lane()
        /// True while the text without its escapes differs from the text itself; only then is it searched as well.
        private var isDecoding = false
        private var decoder = EscapeDecoder()
        private var decoded: NeedleSet.State = 0
        private var starts: [Int] = []
        private var symbols = 0
        private var batch: [EscapeDecoder.Symbol] = []

        /// The number of replaced stretches of text.
        public private(set) var count = 0
        private var byOwner: [Int]
        /// Their ranges; recorded only when this is not nil.
        var replaced: [Range<Int>]?

        public init(_ redactor: Redactor) {
            tables = redactor.tables
            byOwner = [Int](repeating: 0, count: redactor.tables?.names.count ?? 0)
        }

        /// `count` by the names of the secrets. Of overlapping secrets the longest one is counted.
        public var counts: [String: Int] {
            guard let tables else { return [:] }
            var counts: [String: Int] = [:]
            for (name, count) in zip(tables.names, byOwner) where count > 0 { counts[name, default: 0] += count }
            return counts
        }

        /// Resets the counts, because the caller discards what was written so far.
        public mutating func forgetCounts() {
            count = 0
            byOwner = [Int](repeating: 0, count: byOwner.count)
        }

        public mutating func append(_ chunk: ArraySlice<UInt8>) -> [UInt8] {
            guard let tables else { return Array(chunk) }
            held.append(contentsOf: chunk)
            scan(tables)
            return drain(to: safe(tables))
        }

        /// Ends the text and returns the rest of it.
        public mutating func finish() -> [UInt8] {
            guard let tables else { return [] }
            if isDecoding {
                decoder.finish(into: &batch)
                takeBatch(tables)
            }
            return drain(to: scanned)
        }

        // MARK: Looking

        private mutating func scan(_ tables: Tables) {
            let text = held
            let base = self.base
            text.withUnsafeBufferPointer { buffer in
                tables.pairs.withUnsafeBufferPointer { pairs in
                    guard let bytes = buffer.baseAddress, let pairs = pairs.baseAddress else { return }
                    let last = buffer.count &- 1
                    var i = scanned - base
                    while i <= last {
                        if plain == 0, !isDecoding, letters.isIdle {
                            // Most of a text is skipped here; each step looks at two bytes.
                            while i < last {
                                if pairs[Int(bytes[i]) &<< 8 | Int(bytes[i &+ 1])] == 0 {
                                    i &+= 1
                                } else if bytes[i] == UInt8(ascii: "\\"), tables.skippableAfterBackslash[Int(bytes[i &+ 1])] == 1 {
                                    i &+= 2
                                    decoder.skip(to: base + i)
                                } else {
                                    break
                                }
                            }
                            if i > last { break }
                        }
                        take(bytes[i], at: base + i, tables)
                        i &+= 1
                    }
                }
            }
            scanned = base + text.count
        }

        private mutating func take(_ byte: UInt8, at position: Int, _ tables: Tables) {
            let before = plain
            plain = tables.plain.step(plain, byte)
            if let match = tables.plain.match(plain) { found.add(position + 1 - match.length, position + 1, owner: match.owner) }
            if !isDecoding {
                guard EscapeDecoder.begins(byte) else {
                    return letters.take(.init(byte: byte, start: position, end: position + 1), tables.base64, &found)
                }
                beginDecoding(before, position, tables)
            }
            decoder.take(byte, at: position, into: &batch)
            takeBatch(tables)
            if decoder.isSettled, (firstDecoded(tables) ?? position + 1) >= decoder.escapesEnd { isDecoding = false }
        }

        /// Starts decoding. The state is cut to the bytes after the last escape, where decoded text and text are the same.
        private mutating func beginDecoding(_ state: NeedleSet.State, _ position: Int, _ tables: Tables) {
            isDecoding = true
            if starts.isEmpty { starts = .ring(tables.plain.maximumLength) }
            decoded = state
            while tables.plain.depth(decoded) > position - decoder.escapesEnd { decoded = tables.plain.fail(decoded) }
            symbols = tables.plain.depth(decoded)
            for index in 0..<symbols { starts[index & (starts.count - 1)] = position - symbols + index }
        }

        private mutating func takeBatch(_ tables: Tables) {
            for symbol in batch {
                starts[symbols & (starts.count - 1)] = symbol.start
                symbols += 1
                decoded = tables.plain.step(decoded, symbol.byte)
                if let match = tables.plain.match(decoded) {
                    found.add(starts[(symbols - match.length) & (starts.count - 1)], symbol.end, owner: match.owner)
                }
                letters.take(symbol, tables.base64, &found)
            }
            batch.removeAll(keepingCapacity: true)
        }

        private func firstDecoded(_ tables: Tables) -> Int? {
            decoded == 0 ? nil : starts[(symbols - tables.plain.depth(decoded)) & (starts.count - 1)]
        }

        // MARK: Writing

        /// The position before which no further occurrence can begin.
        private func safe(_ tables: Tables) -> Int {
            var safe = scanned - tables.plain.depth(plain)
            if let held = letters.firstHeld(tables.base64) { safe = min(safe, held) }
            if isDecoding {
                if let pending = decoder.firstPending { safe = min(safe, pending) }
                if let start = firstDecoded(tables) { safe = min(safe, start) }
            }
            return safe
        }

        private mutating func drain(to safe: Int) -> [UInt8] {
            var out: [UInt8] = []
            out.reserveCapacity(max(0, safe - base))
            var at = base
            var done = 0
            for occurrence in found.all {
                guard occurrence.start < safe else { break }
                if at < occurrence.start { out.append(contentsOf: held[(at - base)..<(occurrence.start - base)]) }
                // An occurrence that ends after `safe` may still grow.
                guard occurrence.end <= safe else {
                    at = max(at, safe)
                    break
                }
                out.append(contentsOf: Redactor.replacement)
                count += 1
                byOwner[occurrence.owner] += 1
                replaced?.append(occurrence.start..<occurrence.end)
                at = max(at, occurrence.end)
                done += 1
            }
            if at < safe { out.append(contentsOf: held[(at - base)..<(safe - base)]) }
            if done > 0 { found.removeFirst(done) }
            if safe > base {
                held.removeFirst(safe - base)
                base = safe
            }
            return out
        }
    }
}
