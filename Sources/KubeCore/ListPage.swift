import Base

/// One page of a list.
public struct ListPage: Sendable, Hashable {
    /// In the server's order (by key).
    public var items: [JSONValue]
    /// The resource version of the whole list, the same on every page. Watches start from the first page's.
    public var resourceVersion: String
    /// The token for the next page; nil on the last.
    public var continueToken: String?
    /// How many items follow this page, when the server knows.
    public var remaining: Int?

    public init(
        items: [JSONValue], resourceVersion: String, continueToken: String? = nil, remaining: Int? = nil
    ) {
        self.items = items
        self.resourceVersion = resourceVersion
        self.continueToken = continueToken
        self.remaining = remaining
    }

    /// Reads a list response. Items of built-in types have no `apiVersion` and `kind`; they are filled in from `type`.
    ///
    /// - Parameter projection: the part that is kept of each item.
    public init(parsing body: [UInt8], type: ResourceType, keeping projection: ObjectProjection = .whole) throws(ListSyntaxError) {
        let json: JSONValue
        do {
            json = try JSONValue(parsing: body, keeping: .only(["metadata": .everything, "items": projection.json]))
        } catch {
            throw ListSyntaxError(message: "\(error)")
        }
        guard let metadata = json["metadata"], metadata.object != nil else {
            throw ListSyntaxError(message: "the list has no metadata")
        }
        // `items: null` is how Go writes an empty list.
        let items = json["items"] ?? .null
        guard items.isNull || items.array != nil else { throw ListSyntaxError(message: "items is not an array") }
        let token = metadata["continue"]?.string ?? ""
        self.init(
            items: (items.array ?? []).map { item in
                var item = item
                if item["kind"] == nil { item["kind"] = .string(type.kind) }
                if item["apiVersion"] == nil { item["apiVersion"] = .string(type.apiVersion) }
                return item
            },
            resourceVersion: metadata["resourceVersion"]?.string ?? "",
            continueToken: token.isEmpty ? nil : token,
            remaining: metadata["remainingItemCount"]?.int)
    }
}

/// The response is not a valid list.
public struct ListSyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String

    public init(message: String) { self.message = message }

    public var description: String { "malformed list: \(message)" }
}
