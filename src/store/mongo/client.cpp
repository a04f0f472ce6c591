#include "store/mongo/client.hpp"

#include "base/metrics.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>

namespace dyad::mongo {
namespace {

// Codes of the server (error_codes.yml of MongoDB) for a command that a primary has not taken:
// NotWritablePrimary, NotPrimaryNoSecondaryOk, PrimarySteppedDown, NotPrimaryOrSecondary,
// InterruptedDueToReplStateChange, InterruptedAtShutdown, ShutdownInProgress, HostUnreachable,
// HostNotFound, NetworkTimeout, SocketException, ExceededTimeLimit, MaxTimeMSExpired,
// WriteConcernFailed, UnsatisfiableWriteConcern.
constexpr std::array<std::uint32_t, 15> kPassing = {10107, 13435, 189,  13436, 11602, 11600, 91, 6,
                                                    7,     89,    9001, 262,   50,    64,    100};
constexpr std::array<std::uint32_t, 2> kFull = {14031, 12501};  // OutOfDiskSpace, QuotaExceeded

// Less than what the driver waits for an answer: so the server says what it waits for.
constexpr std::int64_t kMajorityMs = 5000;

bool is_one_of(const auto& codes, std::uint32_t code) {
    return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// Counts a command, and how long it takes.
class Timed {
  public:
    Timed() { metrics::mongodb_commands.add(); }
    ~Timed() { metrics::mongodb_seconds.observe(std::chrono::steady_clock::now() - began_); }
    Timed(const Timed&) = delete;
    Timed& operator=(const Timed&) = delete;

  private:
    const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

Error error_of(const bson_error_t& error) {
    const std::string text = error.message;
    if (error.domain == MONGOC_ERROR_SERVER_SELECTION)
        return fail(Errc::storage_unavailable, "MongoDB not connected: " + text);
    if (error.domain == MONGOC_ERROR_STREAM || is_one_of(kPassing, error.code))
        return fail(Errc::outcome_unknown, "MongoDB did not answer: " + text);
    if (is_one_of(kFull, error.code)) return fail(Errc::storage_full, "MongoDB: " + text);
    if (error.domain == MONGOC_ERROR_PROTOCOL &&
        error.code == MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION)
        return fail(Errc::storage_newer, "MONGODB_URL: " + text);
    if (error.domain == MONGOC_ERROR_CLIENT || error.code == 18 || error.code == 13)
        return fail(Errc::storage_unavailable, "MongoDB refuses this server: " + text);
    return fail(Errc::internal, "MongoDB: " + text + " (code " + std::to_string(error.code) + ")");
}

std::vector<Written::Failure> failures_of(BsonView reply) {
    std::vector<Written::Failure> failures;
    reply.sub("writeErrors").members([&](std::string_view, const BsonValue& value) {
        const BsonView one(value);
        std::vector<std::string> key;
        one.sub("keyPattern").members([&](std::string_view name, const BsonValue&) {
            key.emplace_back(name);
        });
        failures.push_back({.index = static_cast<std::size_t>(one.number("index").value_or(0)),
                            .code = static_cast<std::int32_t>(one.number("code").value_or(0)),
                            .text = std::string(one.text("errmsg").value_or("")),
                            .key = std::move(key)});
    });
    return failures;
}

std::vector<std::size_t> inserted_of(BsonView reply) {
    std::vector<std::size_t> inserted;
    reply.sub("upserted").members([&](std::string_view, const BsonValue& value) {
        inserted.push_back(static_cast<std::size_t>(BsonView(value).number("index").value_or(0)));
    });
    return inserted;
}

}  // namespace

Error error_of(const Written::Failure& failure) {
    const auto code = static_cast<std::uint32_t>(failure.code);
    const std::string text = "MongoDB: " + failure.text;
    if (is_one_of(kFull, code)) return fail(Errc::storage_full, text);
    if (is_one_of(kPassing, code)) return fail(Errc::storage_unavailable, text);
    return fail(Errc::internal, text + " (code " + std::to_string(failure.code) + ")");
}

bool Written::Failure::of_index(std::string_view member) const {
    return code == kDuplicateKey && std::find(key.begin(), key.end(), member) != key.end();
}

Bson Client::concern() const {
    Bson concern;
    if (replica_set_)
        concern.text("w", "majority").number("wtimeout", kMajorityMs);
    else
        concern.number("w", 1);
    return concern.flag("j", true);
}

Status Client::may_ask() const {
    if (stop_by_ != nullptr && std::chrono::steady_clock::now() > stop_by_->load())
        return fail(Errc::draining, "the store is closing");
    return Done{};
}

Result<Bson> Client::run(const Bson& command, std::string_view database) {
    const Timed timed;
    bson_error_t error{};
    Bson reply;
    bson_destroy(reply.get());
    const std::string on(database.empty() ? std::string_view(database_) : database);
    const bool good = mongoc_client_command_simple(client_, on.c_str(), command.get(), nullptr,
                                                   reply.get(), &error);
    if (good) return reply;
    return error_of(error);
}

Status Client::each(std::string_view collection, const Bson& filter, const FindOptions& options,
                    const std::function<bool(BsonView)>& take) {
    TRY(may_ask());
    const Timed timed;
    Bson rest;
    if (!options.sort.empty()) rest.sub("sort", options.sort);
    if (!options.fields.empty()) rest.sub("projection", options.fields);
    if (options.limit > 0) rest.number("limit", options.limit);
    if (replica_set_) rest.sub("readConcern", Bson().text("level", "majority"));
    const std::unique_ptr<mongoc_collection_t, void (*)(mongoc_collection_t*)> from(
        mongoc_client_get_collection(client_, database_.c_str(), std::string(collection).c_str()),
        mongoc_collection_destroy);
    const std::unique_ptr<mongoc_cursor_t, void (*)(mongoc_cursor_t*)> cursor(
        mongoc_collection_find_with_opts(from.get(), filter.get(), rest.get(), nullptr),
        mongoc_cursor_destroy);
    const bson_t* document = nullptr;
    while (mongoc_cursor_next(cursor.get(), &document))
        if (!take(BsonView(document))) return Done{};
    bson_error_t error{};
    if (!mongoc_cursor_error(cursor.get(), &error)) return Done{};
    Error what = error_of(error);
    if (what.code == Errc::outcome_unknown) what.code = Errc::storage_unavailable;
    return what;
}

Result<std::vector<Bson>> Client::find(std::string_view collection, const Bson& filter,
                                       const FindOptions& options) {
    std::vector<Bson> found;
    TRY(each(collection, filter, options, [&](BsonView document) {
        found.push_back(Bson::copy_of(document.get()));
        return true;
    }));
    return found;
}

Result<std::optional<Bson>> Client::find_one(std::string_view collection, const Bson& filter,
                                             FindOptions options) {
    options.limit = 1;
    ASSIGN_OR_RETURN(std::vector<Bson> found, find(collection, filter, options));
    if (found.empty()) return std::optional<Bson>();
    return std::optional(std::move(found.front()));
}

// `command` begins with its verb; what all writes have is added.
Result<Written> Client::write(std::string_view verb, Bson& command) {
    TRY(may_ask());
    command.sub("writeConcern", concern());
    const Timed timed;
    bson_error_t error{};
    Bson reply;
    bson_destroy(reply.get());
    const bool good = mongoc_client_command_simple(client_, database_.c_str(), command.get(),
                                                   nullptr, reply.get(), &error);
    if (!good) {
        Error what = error_of(error);
        // Where the server has answered, nothing was done.
        if (error.domain == MONGOC_ERROR_SERVER && what.code == Errc::outcome_unknown &&
            error.code == 10107)
            what.code = Errc::storage_unavailable;
        return what;
    }
    const BsonView view = reply.view();
    Written written{.count = view.number("n").value_or(0),
                    .modified = view.number("nModified").value_or(0),
                    .inserted = inserted_of(view),
                    .failures = failures_of(view)};
    if (const BsonView waited = view.sub("writeConcernError"); waited.valid())
        return fail(Errc::outcome_unknown, std::string(verb) +
                                               ": MongoDB has not made it durable: " +
                                               std::string(waited.text("errmsg").value_or("")));
    return written;
}

Result<Written> Client::insert(std::string_view collection, std::span<const Bson> documents) {
    Bson list;
    for (std::size_t i = 0; i < documents.size(); ++i)
        list.sub(std::to_string(i), documents[i]);
    Bson command;
    command.text("insert", collection).array("documents", list).flag("ordered", true);
    return write("insert", command);
}

Result<Written> Client::update(std::string_view collection, std::span<const Update> updates) {
    Bson list;
    for (std::size_t i = 0; i < updates.size(); ++i)
        list.sub(std::to_string(i), Bson()
                                        .sub("q", updates[i].filter)
                                        .sub("u", updates[i].change)
                                        .flag("upsert", updates[i].upsert)
                                        .flag("multi", updates[i].all));
    Bson command;
    command.text("update", collection).array("updates", list).flag("ordered", false);
    return write("update", command);
}

Result<Written> Client::remove(std::string_view collection, const Bson& filter, bool only_one) {
    Bson one;
    one.sub("q", filter).number("limit", only_one ? 1 : 0);
    Bson command;
    command.text("delete", collection).array("deletes", Bson().sub("0", one)).flag("ordered", true);
    return write("delete", command);
}

Result<Written> Client::remove(std::string_view collection, std::span<const Bson> filters) {
    Bson list;
    for (std::size_t i = 0; i < filters.size(); ++i)
        list.sub(std::to_string(i), Bson().sub("q", filters[i]).number("limit", 1));
    Bson command;
    command.text("delete", collection).array("deletes", list).flag("ordered", false);
    return write("delete", command);
}

}  // namespace dyad::mongo
