// What one look at a database tells, for `dyad-memory doctor`. Nothing is changed in it: what a
// start of the server would make there is only said to be missing.
//
// Threads: any; blocks.
#pragma once

#include "store/mongo/database.hpp"

#include <string>

namespace dyad::mongo {

struct Probe {
    Deployment deployment;
    std::string version;          // of the server's program
    std::string journal_problem;  // empty: it takes writes that wait for its journal
    IndexReport indexes;
};

// Errors: those of Database::open, and storage_unavailable where no server answers.
Result<Probe> probe(const MongoOptions& options, Clock& clock);

}  // namespace dyad::mongo
