#include "store/mongo/probe.hpp"

namespace dyad::mongo {

Result<Probe> probe(const MongoOptions& options, Clock& clock) {
    Probe found;
    TRY(Database::with_client(options, [&](Client& client) -> Status {
        ASSIGN_OR_RETURN(found.deployment, greet(client, clock));
        ASSIGN_OR_RETURN(const Bson build, client.run(Bson().small("buildInfo", 1), "admin"));
        found.version = build.view().text("version").value_or("");
        // Removes what is not there.
        const auto waited = client.remove(kMeta, Bson().text("_id", "doctor"));
        if (!waited) found.journal_problem = waited.error().detail;
        ASSIGN_OR_RETURN(found.indexes, look_at_indexes(client));
        return Done{};
    }));
    return found;
}

}  // namespace dyad::mongo
