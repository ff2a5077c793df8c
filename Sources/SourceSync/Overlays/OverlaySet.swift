/// The names that one overlay offers, by surface. A surface that it does not have is absent.
public struct OverlayOffers: Sendable, Hashable {
    /// The overlay's name.
    public let overlay: String
    public let names: [OverlaySurface: [EntryName]]

    public init(overlay: String, names: [OverlaySurface: [EntryName]]) {
        self.overlay = overlay
        self.names = names
    }
}

/// Ordered overlays: what comes from where, and what shadows what. Pure.
///
/// The order is that of the list: an entry of a later overlay shadows the entries of earlier ones that have the same name, byte for byte.
/// Prompts have no names and shadow nothing.
public struct OverlaySet: Sendable, Hashable {
    /// An entry that is in effect.
    public struct Entry: Sendable, Hashable {
        public let name: EntryName
        /// The overlay that the entry comes from.
        public let overlay: String
        /// The earlier overlays that have an entry of this name, in their order.
        public let shadowed: [String]
    }

    /// An entry of an earlier overlay that a later one shadows.
    public struct Shadow: Sendable, Hashable, CustomStringConvertible {
        public let surface: OverlaySurface
        public let name: EntryName
        public let overlay: String
        public let shadowed: String

        /// Without the overlay that shadows it, as `tool/search of base`.
        public var description: String { "\(surface.entry)/\(name) of \(shadowed)" }
    }

    /// Two entries whose names differ only in case or Unicode form. Both are delivered.
    public struct Similarity: Sendable, Hashable, CustomStringConvertible {
        public let surface: OverlaySurface
        public let name: EntryName
        public let overlay: String
        /// The other entry, of an earlier overlay or of the same one.
        public let otherName: EntryName
        public let otherOverlay: String

        /// Non-ASCII characters are spelled out, because the two names may look the same.
        public var description: String {
            "\(surface.entry)/\(name.spelled) and \(surface.entry)/\(otherName.spelled)" + (otherOverlay == overlay ? "" : " of \(otherOverlay)")
        }
    }

    public let overlays: [OverlayOffers]

    public init(_ overlays: [OverlayOffers]) { self.overlays = overlays }

    /// The entries in effect, sorted by name.
    public func entries(of surface: OverlaySurface) -> [Entry] {
        guard surface != .prompt else { return [] }
        var owners: [EntryName: [String]] = [:]
        for overlay in overlays {
            for name in Set(overlay.names[surface] ?? []) { owners[name, default: []].append(overlay.overlay) }
        }
        return owners.sorted { $0.key < $1.key }.map { name, owners in
            Entry(name: name, overlay: owners[owners.count - 1], shadowed: Array(owners.dropLast()))
        }
    }

    /// What shadows what, by the later overlay, surface, name and the earlier overlay.
    public var shadows: [Shadow] { overlays.indices.flatMap { shadows(ofOverlayAt: $0) } }

    /// Names that differ only in case or Unicode form, in the same order as `shadows`.
    public var similarities: [Similarity] { overlays.indices.flatMap { similarities(ofOverlayAt: $0) } }

    /// What one overlay shadows.
    public func shadows(ofOverlayAt position: Int) -> [Shadow] {
        let overlay = overlays[position]
        let earlier = overlays[..<position]
        return OverlaySurface.allCases.filter { $0 != .prompt }.flatMap { surface -> [Shadow] in
            let sets = earlier.map { ($0.overlay, Set($0.names[surface] ?? [])) }
            return Set(overlay.names[surface] ?? []).sorted().flatMap { name in
                sets.filter { $0.1.contains(name) }.map { Shadow(surface: surface, name: name, overlay: overlay.overlay, shadowed: $0.0) }
            }
        }
    }

    /// The names of one overlay that are similar to one of an earlier overlay, or to another one of its own.
    public func similarities(ofOverlayAt position: Int) -> [Similarity] {
        let overlay = overlays[position]
        return OverlaySurface.allCases.filter { $0 != .prompt }.flatMap { surface -> [Similarity] in
            var known: [String: [(name: EntryName, overlay: String)]] = [:]
            for other in overlays[..<position] {
                for name in Set(other.names[surface] ?? []).sorted() { known[name.folded, default: []].append((name, other.overlay)) }
            }
            var found: [Similarity] = []
            for name in Set(overlay.names[surface] ?? []).sorted() {
                for other in known[name.folded] ?? [] where other.name != name {
                    found.append(
                        Similarity(
                            surface: surface, name: name, overlay: overlay.overlay, otherName: other.name, otherOverlay: other.overlay))
                }
                known[name.folded, default: []].append((name, overlay.overlay))
            }
            return found
        }
    }
}

extension EntryName {
    /// The name with `\u{...}` for each character outside printable ASCII.
    var spelled: String {
        var result = ""
        for scalar in text.unicodeScalars {
            if (0x20..<0x7F).contains(scalar.value) {
                result.unicodeScalars.append(scalar)
            } else {
                result += "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
            }
        }
        return result
    }
}
