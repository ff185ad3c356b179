import HTTPServer
enum DatasetUpload { static func store(_ call: APICall) async throws -> HTTPResponse { HTTPResponse(status: 204) } }
enum UploadFile { static func remove(_ path: String) {} }
