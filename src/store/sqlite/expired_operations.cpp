#include "store/sqlite/expired_operations.hpp"

#include "base/bytes.hpp"
#include "base/hash64.hpp"
#include "base/limits.hpp"

#include <map>
#include <string>

namespace dyad::sqlite {
namespace {

constexpr std::size_t kBytesMax =
    limits::expired_operations_per_instance_max * sizeof(std::uint64_t);
constexpr const char* kKeysOf =
    "SELECT keys FROM expired_operations WHERE user = ? AND instance = ?";

}  // namespace

Status ExpiredOperations::add(std::int64_t user, const EventBatch& batch, Offset last) {
    struct Added {
        std::string keys;
        Offset last = 0;
    };
    std::map<std::string, Added, std::less<>> instances;
    EventView event;
    for (Offset offset = batch.first; offset <= last; ++offset) {
        // Damage that nobody reads any more does not keep a log from getting shorter.
        if (!decode_event(batch.text(offset), event)) continue;
        Added& added = instances[event.source_instance_id];
        put_le(added.keys, batch.entry(offset).operation_key);
        added.last = offset;
    }
    for (const auto& [instance, added] : instances) {
        const std::uint64_t number = hash64(instance);
        ASSIGN_OR_RETURN(auto known, db_.text(kKeysOf, user, number));
        std::string all = std::move(known).value_or("") + added.keys;
        if (all.size() > kBytesMax) all.erase(0, all.size() - kBytesMax);
        TRY(db_.execute(
            "INSERT INTO expired_operations(user, instance, last_offset, keys) VALUES(?, ?, ?, ?) "
            "ON CONFLICT(user, instance) DO UPDATE SET last_offset = excluded.last_offset, "
            "keys = excluded.keys",
            user, number, added.last, Value::blob(all)));
    }
    return Done{};
}

Status ExpiredOperations::forget_oldest_instances(std::int64_t user) {
    return db_.execute(
        "DELETE FROM expired_operations WHERE user = ?1 AND instance IN (SELECT instance "
        "FROM expired_operations WHERE user = ?1 ORDER BY last_offset DESC LIMIT -1 OFFSET ?2)",
        user, std::int64_t{limits::expired_operations_instances_max});
}

Result<bool> ExpiredOperations::has(std::int64_t user, std::string_view instance,
                                    std::uint64_t key) {
    ASSIGN_OR_RETURN(const auto keys, db_.text(kKeysOf, user, hash64(instance)));
    std::string_view left = keys ? *keys : std::string_view();
    bool found = false;
    while (const auto one = take_le<std::uint64_t>(left))
        found = found || *one == key;
    return found;
}

Status ExpiredOperations::load(std::int64_t user, std::vector<std::uint64_t>& keys) {
    Rows rows = db_.query("SELECT keys FROM expired_operations WHERE user = ?", user);
    while (rows.next()) {
        std::string_view left = rows.text(0);
        while (const auto key = take_le<std::uint64_t>(left))
            keys.push_back(*key);
    }
    return rows.status();
}

}  // namespace dyad::sqlite
