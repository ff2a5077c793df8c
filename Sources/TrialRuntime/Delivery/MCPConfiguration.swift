import Base
import EvalModel

/// The file that tells an agent of the task's MCP servers, in the format that most agents read (`{"mcpServers": {NAME: ...}}`).
///
/// Values of headers are as the task has them: the variables that they name are in the agent's environment, so that no secret is in a file.
enum MCPConfiguration {
    static func json(_ servers: [MCPServer]) -> JSONValue {
        var object: [String: JSONValue] = [:]
        for server in servers {
            var value: JSONValue = ["type": .string(server.transport == .streamableHTTP ? "http" : server.transport.rawValue)]
            if let url = server.url { value["url"] = .string(url) }
            if let command = server.command { value["command"] = .string(command) }
            if server.transport == .stdio { value["args"] = .array(server.arguments.map { .string($0) }) }
            if !server.headers.isEmpty { value["headers"] = .object(server.headers.mapValues { .string($0) }) }
            object[server.name] = value
        }
        return ["mcpServers": .object(object)]
    }
}
