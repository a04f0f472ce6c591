#include "store/mongo/shared.hpp"

#include <algorithm>

namespace dyad::mongo {
namespace {

Status write_all(Client& client, const Update& update) {
    ASSIGN_OR_RETURN(const Written written, client.update(kMeta, {&update, 1}));
    if (!written.failures.empty()) return error_of(written.failures.front());
    return Done{};
}

}  // namespace

Status Barrier::pass(Client& client) {
    std::uint64_t target = 0;
    std::uint64_t serial = 0;
    {
        const MutexLock held(mutex_);
        const std::uint64_t mine = ++asked_;
        while (writing_ && done_ < mine && failed_ < mine)
            passed_.wait(mutex_);
        if (done_ >= mine) return Done{};
        // It began after the call; each trying for itself would wait one after the other.
        if (failed_ >= mine) return *failure_;
        writing_ = true;
        target = asked_;
        serial = ++writes_;
    }
    const Update write{
        .filter = Bson().text("_id", "barrier:" + name_),
        .change = Bson().sub("$set", Bson().number("n", static_cast<std::int64_t>(serial))),
        .upsert = true};
    const Status good = write_all(client, write);
    {
        const MutexLock held(mutex_);
        writing_ = false;
        if (good) {
            done_ = std::max(done_, target);
        } else {
            failed_ = target;
            failure_ = good.error();
        }
    }
    passed_.notify_all();
    return good;
}

Status Shared::prove(Client& client, std::uint64_t era) {
    if (const Status passed = barrier.pass(client); !passed)
        return fail(Errc::storage_unavailable, passed.error().detail);
    if (heads.era() == era) return Done{};
    return fail(Errc::storage_unavailable, "MongoDB has another primary than before the read");
}

}  // namespace dyad::mongo
