// Every route of the API. What is not listed here does not exist: not in dispatch, not in the OpenAPI document.

package enum RouteCatalog {
    package static let all: [APIRoute] =
        SystemRoutes.all + JobRoutes.all + JobDetailRoutes.all + CheckpointRoutes.all + DatasetRoutes.all
        + CatalogRoutes.all
}
