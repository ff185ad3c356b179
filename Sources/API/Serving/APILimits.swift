// The limits that the API applies; published by /version.
import HTTPServer
import JobSpec

package struct APILimits: Sendable, Hashable {
    package var jsonBodyBytes = JSONLimits.default.maximumBytes
    package var jsonDepth = JSONLimits.default.maximumDepth
    package var datasetBytes: Int64 = 4 << 30
    /// An upload, and the arrays in it when they are decompressed.
    package var checkpointBytes: Int64 = 4 << 30
    package var sseClients = 256
    package var waitSeconds = 60
    package var listRows = 200
    package var idempotencySeconds = 86_400

    package init() {}

    package func json(server: ServerConfiguration) -> JSONValue {
        [
            "json_body_bytes": JSONValue(jsonBodyBytes), "json_depth": JSONValue(jsonDepth),
            "dataset_bytes": .int(datasetBytes),
            "checkpoint_bytes": .int(checkpointBytes), "sse_clients": JSONValue(sseClients),
            "wait_seconds": JSONValue(waitSeconds), "list_rows": JSONValue(listRows),
            "idempotency_seconds": JSONValue(idempotencySeconds),
            "header_block_bytes": JSONValue(server.limits.headerBlockBytes),
            "header_fields": JSONValue(server.limits.headerFields),
            "target_bytes": JSONValue(server.limits.targetBytes),
            "connections": JSONValue(server.limits.connections),
            "connections_per_address": JSONValue(server.limits.connectionsPerAddress),
            "sse_unsent_bytes": JSONValue(server.limits.streamUnsentBytes),
            "header_seconds": .double(server.deadlines.headerSeconds),
            "body_idle_seconds": .double(server.deadlines.bodyIdleSeconds),
            "body_minimum_bytes_per_second": .double(server.deadlines.bodyMinimumBytesPerSecond),
            "keep_alive_seconds": .double(server.deadlines.keepAliveSeconds),
        ]
    }
}
