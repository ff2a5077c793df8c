import Base

/// The JSON Schemas of docs/schemas for checking records of the `schemaVersion` that this program writes. It knows no other version.
public enum RecordSchema {
    public enum Document: String, Sendable, Hashable, CaseIterable { case run, summary, job }

    public static func of(_ document: Document) -> JSONSchema {
        switch document {
        case .run: run
        case .summary: summary
        case .job: job
        }
    }

    private static let run = schema(RecordSchemaText.run)
    private static let summary = schema(RecordSchemaText.summary)
    private static let job = schema(RecordSchemaText.job)

    private static func schema(_ text: String) -> JSONSchema {
        // The text is compiled into the program, and a test checks that it can be parsed.
        JSONSchema((try? JSONValue(parsing: Array(text.utf8))) ?? .null)
    }
}
