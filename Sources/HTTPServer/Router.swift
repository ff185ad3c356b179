// Which route a path belongs to. Literals beat parameters, segment by segment; templates are compared as
// bytes.

struct RouteMatch: Sendable {
    let route: Route
    let parameters: PathParameters
}

enum RoutingResult {
    case match(RouteMatch)
    /// The path exists, the method does not: the methods that do, and the template.
    case wrongMethod(allowed: [String], template: String)
    case notFound
}

package struct RouteError: Error, Sendable, CustomStringConvertible {
    package let template: String
    package let reason: String
    package var description: String { "Route `\(template)`: \(reason)" }
}

struct Router: Sendable {
    /// One template with the routes of its methods.
    private struct Resource: Sendable {
        let template: RouteTemplate
        var routes: [Route]
        /// For `Allow`: HEAD follows GET, OPTIONS is always there.
        var allowed: [String] {
            var names: [String] = []
            for route in routes {
                names.append(route.method.description)
                if route.method == .get, !routes.contains(where: { $0.method == .head }) {
                    names.append("HEAD")
                }
            }
            if !names.contains("OPTIONS") { names.append("OPTIONS") }
            return names
        }
    }

    private var resources: [Resource] = []
    /// Indices into `resources` by number of segments, most specific first.
    private var bySegmentCount: [[Int]] = []
    /// Indices of templates that end in `{name...}`, most specific first.
    private var catchAlls: [Int] = []

    init(_ routes: [Route]) throws {
        for route in routes {
            let template = try RouteTemplate(route.template)
            if let index = resources.firstIndex(where: { $0.template.hasSameShape(as: template) }) {
                let known = resources[index]
                guard known.template.text == route.template else {
                    throw RouteError(
                        template: route.template,
                        reason: "matches the same paths as `\(known.template.text)`.")
                }
                guard !known.routes.contains(where: { $0.method == route.method }) else {
                    throw RouteError(template: route.template, reason: "has two routes for \(route.method).")
                }
                resources[index].routes.append(route)
            } else {
                resources.append(Resource(template: template, routes: [route]))
            }
        }
        let order = resources.indices.sorted {
            resources[$0].template.isMoreSpecific(than: resources[$1].template)
        }
        for index in order {
            let template = resources[index].template
            if template.isCatchAll {
                catchAlls.append(index)
            } else {
                while bySegmentCount.count <= template.segments.count { bySegmentCount.append([]) }
                bySegmentCount[template.segments.count].append(index)
            }
        }
    }

    /// Every method of the table, for `OPTIONS *`.
    var allMethods: [String] {
        var names: [String] = []
        for name in resources.flatMap(\.allowed) where !names.contains(name) { names.append(name) }
        return names
    }

    func route(_ head: RequestHead) -> RoutingResult {
        let path = PathSegments(head)
        if path.count < bySegmentCount.count {
            for index in bySegmentCount[path.count] {
                if let values = resources[index].template.match(path) {
                    return result(index, head.method, values)
                }
            }
        }
        for index in catchAlls {
            if let values = resources[index].template.match(path) {
                return result(index, head.method, values)
            }
        }
        return .notFound
    }

    private func result(_ index: Int, _ method: HTTPMethod, _ values: [(String, String)]) -> RoutingResult {
        let resource = resources[index]
        let routes = resource.routes
        var found = routes.first { $0.method == method }
        if found == nil, method == .head { found = routes.first { $0.method == .get } }
        guard let found else {
            return .wrongMethod(allowed: resource.allowed, template: resource.template.text)
        }
        return .match(RouteMatch(route: found, parameters: PathParameters(values)))
    }
}
