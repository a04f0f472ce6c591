// The store and the bus of a server, as its settings ask for them: the embedded store or MongoDB,
// the bus between the cells or Redis.
#pragma once

#include "bus/redis/redis_bus.hpp"
#include "cli/settings.hpp"
#include "server/parts.hpp"
#include "store/mongo/database.hpp"

namespace dyad::cli {

// Of the settings, without regard to what is switched on. Requires: no fatal problem.
mongo::MongoOptions mongo_options(const Resolved& settings);
bus::RedisOptions redis_options(const Resolved& settings);

// Sets `store`, `bus` and `secret`. What all cells share is opened by the first call of `store`,
// and closed with the last cell.
void add_backends(server::Parts& parts, const Resolved& settings);

// Where the memory is kept, for people; without passwords.
std::string describe_store(const Resolved& settings);

}  // namespace dyad::cli
