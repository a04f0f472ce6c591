#include "store/mongo/shared.hpp"

#include <algorithm>

namespace dyad::mongo {

Status Barrier::pass(Client& client) {
    std::uint64_t target = 0;
    std::uint64_t serial = 0;
    {
        const MutexLock held(mutex_);
        const std::uint64_t mine = ++asked_;
        while (writing_ && done_ < mine)
            passed_.wait(mutex_);
        if (done_ >= mine) return Done{};
        writing_ = true;
        target = asked_;
        serial = ++writes_;
    }
    const Update write{
        .filter = Bson().text("_id", "barrier:" + name_),
        .change = Bson().sub("$set", Bson().number("n", static_cast<std::int64_t>(serial))),
        .upsert = true};
    const Result<Written> written = client.update(kMeta, {&write, 1});
    {
        const MutexLock held(mutex_);
        writing_ = false;
        if (written) done_ = std::max(done_, target);
    }
    passed_.notify_all();
    if (!written) return written.error();
    return Done{};
}

}  // namespace dyad::mongo
