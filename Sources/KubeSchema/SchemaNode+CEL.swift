import Base
import CEL

extension SchemaNode: CELSchema {
    package var elementSchema: (any CELSchema)? { items }
    package var valueSchema: (any CELSchema)? { additional?.schema }

    package func fieldSchema(_ name: String, ofResource isResource: Bool) -> (any CELSchema)? {
        (isResource ? Self.resourceFields?.properties[name] : nil) ?? properties[name]
    }

    /// The fields of a resource that rules may read even when its schema does not name them; of the metadata only the two names.
    private static let resourceFields: SchemaNode? = {
        let text: JSONValue = ["type": "string"]
        let metadata: JSONValue = ["type": "object", "properties": ["name": text, "generateName": text]]
        return try? SchemaNode(
            parsing: ["type": "object", "properties": ["apiVersion": text, "kind": text, "metadata": metadata]], path: "")
    }()
}
