#include "base/hash64.hpp"
#include "model/command.hpp"
#include "store/dump/restore.hpp"
#include "store/dump/user_log.hpp"
#include "store/mongo/bson/bson_json.hpp"
#include "store/mongo/bson/wire_documents.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace dyad::dump {
namespace {

// One user's memory on its way into the tables.
class UserRestore {
  public:
    UserRestore(const Dump& from, sqlite::MemoryWriter& to, DumpedLog log, RestoreReport& report,
                Random& random)
        : from_(from), to_(to), log_(std::move(log)), report_(report), random_(random) {}

    // `begin`: where a log begins that is not there yet.
    Status run(const LogHead& begin) {
        TRY(find_foreign());
        if (!log_.exists && contexts_.empty() && modes_.empty()) return Done{};
        if (!log_.exists) log_.end = begin;
        report_.users += 1;
        report_.beyond += log_.beyond;
        return to_.user(log_.user, [this] { return write(); });
    }

  private:
    Status write() {
        TRY(write_state());
        TRY(write_history());
        TRY(write_expired());
        TRY(write_events(from_, log_,
                         [this](EventBatchPtr batch) { return to_.events(std::move(batch)); }));
        report_.events += log_.events;
        for (const Change& change : log_.ahead)
            TRY(adopt(change, "restore:" + random_.uuid4()));
        for (const ForeignDocument& document : contexts_)
            TRY(adopt_context(document));
        for (const ModeState& mode : modes_)
            TRY(adopt(ModeChange{mode}, "restore:" + random_.uuid4()));
        return to_.finish(log_.end, log_.first_kept, log_.forgotten);
    }

    // What nobody's log has.
    Status find_foreign() {
        TRY(from_.each(mongo::kContexts, log_.user, [this](BsonView document) -> Status {
            if (mongo::is_ours(document)) return Done{};
            Result<Context> context = mongo::context_of(document);
            if (context)
                contexts_.push_back(
                    {.user_id = log_.user,
                     .context = std::make_shared<const Context>(*std::move(context)),
                     .fingerprint = mongo::fingerprint_of(document)});
            else
                report_.left += 1;
            return Done{};
        }));
        TRY(from_.each(mongo::kModes, log_.user, [this](BsonView document) {
            if (!document.sub("dyad").valid()) find_mode(document);
            return Status(Done{});
        }));
        for (const std::string_view name : {mongo::kTransitions, mongo::kResponses})
            TRY(from_.each(name, log_.user, [this](BsonView document) {
                report_.left += document.sub("dyad").valid() ? 0 : 1;
                return Status(Done{});
            }));
        return Done{};
    }

    void find_mode(BsonView document) {
        const auto current = by_name<Mode>(document.text("currentMode").value_or(""));
        ModeState mode{.instance_id = std::string(document.text("instanceId").value_or(""))};
        if (!current || mode.instance_id.empty()) {
            report_.left += 1;
            return;
        }
        mode.current = *current;
        mode.previous = by_name<Mode>(document.text("previousMode").value_or(""));
        if (const auto set = document.find("configuration");
            set && BSON_ITER_HOLDS_DOCUMENT(&set->at))
            if (Result<std::string> json = mongo::json_of(*set))
                mode.configuration = *std::move(json);
        mode.activated_at_ms = document.date("activatedAt").value_or(0);
        mode.updated_at_ms = document.date("updatedAt").value_or(0);
        mode.sync_version =
            static_cast<std::uint64_t>(std::max(document.real("syncVersion").value_or(1), 1.0));
        modes_.push_back(std::move(mode));
    }

    Status write_state() {
        return from_.each(mongo::kState, log_.user, [this](BsonView document) -> Status {
            const std::string_view kind = document.text("kind").value_or("");
            const std::string_view text = document.text("text").value_or("");
            const std::string name(document.text("name").value_or(""));
            if (kind == "operations") {
                const auto keys = document.binary("keys");
                Keys& known =
                    expired_[static_cast<std::uint64_t>(document.number("instance").value_or(0))];
                known.last = static_cast<Offset>(document.number("offset").value_or(0));
                if (keys) known.keys.assign(keys->begin(), keys->end());
                return Done{};
            }
            if (text.empty() || log_.is_after_end(document.number("offset").value_or(0)))
                return Done{};
            if (kind == "mode") return to_.mode(name, text);
            if (kind == "conflict") return to_.conflict(name, text);
            if (kind == "claim")
                return to_.claim(static_cast<Offset>(document.number("offset").value_or(0)), text);
            ASSIGN_OR_RETURN(const Context context, read_context(text));
            return to_.context(context);
        });
    }

    Status write_history() {
        const auto place = [](BsonView document) {
            return document.number("dyad.offset").value_or(0);
        };
        // Those of kept events follow from them.
        TRY(from_.each(mongo::kTransitions, log_.user, [&](BsonView document) -> Status {
            const auto text = document.text("dyad.text");
            if (!text || place(document) >= static_cast<std::int64_t>(log_.first_kept))
                return Done{};
            return to_.transition(static_cast<Offset>(place(document)),
                                  std::string(document.text("instanceId").value_or("")), *text);
        }));
        return from_.each(mongo::kResponses, log_.user, [&](BsonView document) -> Status {
            const auto text = document.text("dyad.text");
            if (!text || log_.is_after_end(place(document))) return Done{};
            ASSIGN_OR_RETURN(ResponseRecord record, read_response(*text));
            record.offset = static_cast<Offset>(place(document));
            return to_.response(record);
        });
    }

    // The newest come first, and are to stand at the end.
    Status write_expired() {
        std::map<std::uint64_t, Keys> newer;
        TRY(from_.each(mongo::kEvents, log_.user, [&](BsonView document) {
            const std::int64_t offset = document.number("offset").value_or(0);
            if (offset >= 0) return Status(Done{});
            const std::string_view instance = document.text("sourceInstanceId").value_or("");
            Keys& keys = newer[hash64(instance)];
            keys.last = std::max(keys.last, static_cast<Offset>(-offset));
            std::string key;
            put_le(key, operation_key(instance, document.text("operationId").value_or("")));
            keys.keys.insert(0, key);
            return Status(Done{});
        }));
        for (auto& [instance, keys] : newer) {
            Keys& known = expired_[instance];
            known.keys += keys.keys;
            known.last = std::max(known.last, keys.last);
        }
        for (const auto& [instance, known] : expired_)
            TRY(to_.expired({.instance = instance, .last = known.last, .keys = known.keys}));
        return Done{};
    }

    Status adopt(const Change& change, const std::string& operation) {
        report_.adopted += 1;
        return to_.events(append_adopted(log_, change, operation, random_));
    }

    // As a server on MongoDB adopts it.
    Status adopt_context(const ForeignDocument& document) {
        std::array<char, 16> hex;
        char* const end =
            std::to_chars(hex.data(), hex.data() + hex.size(), document.fingerprint, 16).ptr;
        const std::string operation =
            "adopt:" + std::string(hex.data(), end) + ":" + document.context->key;
        if (log_.adopted.contains(operation)) return Done{};
        ASSIGN_OR_RETURN(const std::optional<Context> stored, to_.find(document.context->key));
        Context next = *document.context;
        ContextChange change;
        change.action =
            stored && !stored->deleted ? ContextAction::updated : ContextAction::created;
        if (stored) {
            change.previous_version = stored->version;
            if (next.created_by.empty()) next.created_by = stored->created_by;
        }
        next.version = std::max({next.version, change.previous_version + 1, Version{1}});
        next.expiry_fixed = next.expires_at_ms.has_value();
        for (std::string* const by : {&next.created_by, &next.last_modified_by})
            if (by->empty()) *by = kForeignInstance;
        change.context = std::make_shared<const Context>(std::move(next));
        return adopt(change, operation);
    }

    struct Keys {
        Offset last = 0;
        std::string keys;
    };
    const Dump& from_;
    sqlite::MemoryWriter& to_;
    DumpedLog log_;
    RestoreReport& report_;
    Random& random_;
    std::map<std::uint64_t, Keys> expired_;  // by instance
    std::vector<ForeignDocument> contexts_;
    std::vector<ModeState> modes_;
};

}  // namespace

Result<RestoreReport> restore_to_folder(const Dump& from, const std::string& folder,
                                        const RestoreOptions& options, Random& random) {
    const bool same = options.same_log && from.seed() != 0;
    const std::uint64_t seed = same ? from.seed() : random.next_u64() | 1;
    ASSIGN_OR_RETURN(const auto to, sqlite::MemoryWriter::make(folder, seed, random));
    RestoreReport report;
    std::size_t done = 0;
    for (const std::string& user : from.users()) {
        ASSIGN_OR_RETURN(DumpedLog log, survey(from, user, same ? 0 : seed));
        TRY(UserRestore(from, *to, std::move(log), report, random).run(first_head(user, seed)));
        options.progress(++done, from.users().size());
    }
    for (const std::string& name : from.collections())
        if (name != mongo::kMeta)
            TRY(from.each_other(name, [&](BsonView) {
                report.left += 1;
                return Status(Done{});
            }));
    return report;
}

}  // namespace dyad::dump
