// store_maker: makes a store with many events, through the store itself, as a server would.
//
//     store_maker --folder F | --mongodb URL  --events N [--users N] [--keys N]
//
// The users are room-0, room-1 …, with as many events each; an event replaces one of `keys`
// contexts of its user.
#include "model/change.hpp"
#include "store/mongo/mongo_store.hpp"
#include "store_rig.hpp"

#include <cstring>

namespace dyad::bench {
namespace {

struct Plan {
    std::string folder;
    std::string mongodb;
    std::size_t events = 0;
    std::size_t users = 1;
    std::size_t keys = 100;
};

// One user's log, written from its beginning.
class Writer {
  public:
    Writer(std::string user, std::size_t keys, Random& random)
        : user_(std::move(user)),
          contexts_(keys),
          random_(random),
          head_(first_head(user_, kEpochSeed)) {}

    AppendRequest next(std::size_t events, std::int64_t now_ms) {
        AppendRequest request{.user_id = user_};
        auto batch = std::make_shared<EventBatch>();
        for (std::size_t i = 0; i < events; ++i) {
            Change change = replace(head_.offset % contexts_.size(), now_ms);
            const std::string data = encode_change(change);
            const std::string scope = scope_of(change);
            const std::string operation = "made-" + std::to_string(head_.offset);
            EventDraft draft{.kind = kind_of(change),
                             .scope = scope,
                             .source_instance_id = "maker",
                             .operation_id = operation,
                             .data = data,
                             .fingerprint = random_.next_u64(),
                             .timestamp_ms = now_ms};
            random_.fill(draft.salt);
            append_event(*batch, head_, draft);
            request.changes.push_back(std::move(change));
        }
        request.batch = std::move(batch);
        return request;
    }

  private:
    ContextChange replace(std::size_t key, std::int64_t now_ms) {
        ContextPtr& slot = contexts_[key];
        auto context = std::make_shared<Context>();
        context->key = "chat:" + std::to_string(key);
        context->type = ContextType::chat;
        context->data = "{\"n\":" + std::to_string(head_.offset) +
                        ",\"pad\":\"abcdefghijklmnopqrstuvwxyzabcdef\"}";
        context->version = slot ? slot->version + 1 : 1;
        context->created_by = context->last_modified_by = "maker";
        context->created_at_ms = slot ? slot->created_at_ms : now_ms;
        context->updated_at_ms = now_ms;
        context->offset = head_.offset + 1;
        ContextChange change;
        change.action = slot ? ContextAction::updated : ContextAction::created;
        change.previous_version = slot ? slot->version : 0;
        change.context = slot = std::move(context);
        return change;
    }

    const std::string user_;
    std::vector<ContextPtr> contexts_;
    Random& random_;
    LogHead head_;
};

std::shared_ptr<mongo::Database> open_mongodb(StoreRig& rig, const std::string& url) {
    static SystemRandom random;
    auto opened = mongo::Database::open({.url = url, .seed = kEpochSeed}, random);
    if (!opened) {
        std::fprintf(stderr, "%s\n", opened.error().to_string().c_str());
        std::exit(1);
    }
    rig.open_other(
        [&](auto post) { return std::make_unique<mongo::MongoStore>(*opened, std::move(post)); });
    return *opened;
}

void make(const Plan& plan) {
    constexpr std::size_t kBatchEvents = 256;
    SystemRandom random;
    const SystemClock clock;
    StoreRig rig(plan.folder);
    std::shared_ptr<mongo::Database> database;
    if (plan.mongodb.empty())
        rig.open();
    else
        database = open_mongodb(rig, plan.mongodb);
    const std::size_t each = plan.events / plan.users;
    for (std::size_t user = 0; user < plan.users; ++user) {
        Writer writer("room-" + std::to_string(user), plan.keys, random);
        for (std::size_t done = 0; done < each; done += kBatchEvents) {
            std::deque<AppendRequest> one;
            one.push_back(writer.next(std::min(kBatchEvents, each - done), clock.wall_ms()));
            rig.append(one, 1);
        }
    }
    rig.close();
    if (database) database->stop();  // everything is projected
}

int run(int count, char** words) {
    Plan plan;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string flag = words[i];
        if (flag == "--folder")
            plan.folder = words[i + 1];
        else if (flag == "--mongodb")
            plan.mongodb = words[i + 1];
        else if (flag == "--events")
            plan.events = std::strtoul(words[i + 1], nullptr, 10);
        else if (flag == "--users")
            plan.users = std::strtoul(words[i + 1], nullptr, 10);
        else if (flag == "--keys")
            plan.keys = std::strtoul(words[i + 1], nullptr, 10);
    }
    if (plan.folder.empty() == plan.mongodb.empty() || plan.users == 0 || plan.keys == 0 ||
        plan.events < plan.users) {
        std::fprintf(
            stderr,
            "usage: store_maker --folder F | --mongodb URL --events N [--users N] [--keys N]\n"
            "with at least one event for each user\n");
        return 2;
    }
    make(plan);
    return 0;
}

}  // namespace
}  // namespace dyad::bench

int main(int count, char** words) {
    return dyad::bench::run(count, words);
}
