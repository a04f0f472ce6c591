#include "support/mongo_database.hpp"

#include "store/mongo/schema.hpp"

#include <utility>

#include <unistd.h>

namespace dyad::test {

using mongo::Bson;
using mongo::BsonView;
using mongo::kContexts;

MongoServer* MongoDatabase::server() {
    static const std::unique_ptr<MongoServer> server = MongoServer::start();
    return server.get();
}

MongoDatabase::Driver MongoDatabase::connect() {
    return {mongoc_client_new((server()->url() +
                               "?retryWrites=false&retryReads=false&serverSelectionTimeoutMS=2000")
                                  .c_str()),
            mongoc_client_destroy};
}

void MongoDatabase::SetUp() {
    if (server() == nullptr) GTEST_SKIP() << MongoServer::missing();
    static int count = 0;
    database_ = "test_" + std::to_string(::getpid()) + "_" + std::to_string(++count);
    driver_ = connect();
    client_.emplace(driver_.get(), database_, true);
    const Status made = mongo::make_indexes(*client_);
    ASSERT_TRUE(made) << made.error().to_string();
}

void MongoDatabase::TearDown() {
    if (client_) (void)client_->run(Bson().number("dropDatabase", 1));
}

Before::Before(mongo::Client& client, When when, std::function<void()> act)
    : driver_(client.driver()), when_(std::move(when)), act_(std::move(act)) {
    const std::unique_ptr<mongoc_apm_callbacks_t, void (*)(mongoc_apm_callbacks_t*)> callbacks(
        mongoc_apm_callbacks_new(), mongoc_apm_callbacks_destroy);
    mongoc_apm_set_command_started_cb(callbacks.get(), started);
    EXPECT_TRUE(mongoc_client_set_apm_callbacks(driver_, callbacks.get(), this));
}

Before::~Before() {
    mongoc_client_set_apm_callbacks(driver_, nullptr, nullptr);
}

Before::When Before::is(std::string command, std::string collection, std::string member) {
    return [=](BsonView asked) {
        return asked.text(command) == collection && asked.find(member).has_value();
    };
}

void Before::started(const mongoc_apm_command_started_t* event) {
    auto& self = *static_cast<Before*>(mongoc_apm_command_started_get_context(event));
    if (self.act_ && self.when_(BsonView(mongoc_apm_command_started_get_command(event))))
        std::exchange(self.act_, nullptr)();
}

void ExistingInstance::run(const Bson& command) {
    const Result<Bson> reply = client_.run(command);
    ASSERT_TRUE(reply) << reply.error().to_string();
    ASSERT_FALSE(reply->view().sub("writeErrors").valid());
}

Bson ExistingInstance::place(const std::string& key) const {
    return Bson().text("userId", user_).text("contextKey", key);
}

Bson ExistingInstance::fields(std::int64_t value) {
    now_ms += 1;
    const Bson metadata = Bson()
                              .text("createdBy", "electron-1")
                              .text("lastModifiedBy", "electron-1")
                              .real("version", static_cast<double>(now_ms))
                              .texts("tags", {"theirs"});
    return Bson()
        .text("contextType", "chat")
        .text("mode", "didactic")
        .sub("data", Bson().number("value", value))
        .sub("metadata", metadata)
        .date("updatedAt", now_ms);
}

namespace {

Bson whole(Bson place, const Bson& fields) {
    bson_concat(place.get(), fields.get());
    return place.date("createdAt", 1'790'000'000'000).null("expiresAt");
}

Bson update_command(const Bson& filter, const Bson& change, bool upsert) {
    const Bson one = Bson().sub("q", filter).sub("u", change).flag("upsert", upsert);
    return Bson().text("update", kContexts).array("updates", Bson().sub("0", one));
}

}  // namespace

void ExistingInstance::update_one(const std::string& key, std::int64_t value) {
    run(update_command(place(key), Bson().sub("$set", fields(value)), false));
}

void ExistingInstance::replace_one(const std::string& key, std::int64_t value) {
    run(update_command(place(key), whole(place(key), fields(value)), true));
}

void ExistingInstance::insert_one(const std::string& key, std::int64_t value) {
    const Bson list = Bson().sub("0", whole(place(key), fields(value)));
    run(Bson().text("insert", kContexts).array("documents", list));
}

void ExistingInstance::delete_one(const std::string& key) {
    const Bson one = Bson().sub("q", place(key)).number("limit", 1);
    run(Bson().text("delete", kContexts).array("deletes", Bson().sub("0", one)));
}

std::optional<std::int64_t> ExistingInstance::exchange(const std::string& key, std::int64_t value) {
    const Bson first = Bson().date("createdAt", now_ms).null("expiresAt");
    const Result<Bson> reply =
        client_.run(Bson()
                        .text("findAndModify", kContexts)
                        .sub("query", place(key))
                        .sub("update", Bson().sub("$set", fields(value)).sub("$setOnInsert", first))
                        .flag("upsert", true));
    EXPECT_TRUE(reply) << reply.error().to_string();
    return reply ? reply->view().number("value.data.value") : std::nullopt;
}

std::optional<Bson> ExistingInstance::find(const std::string& key) {
    auto found = client_.find_one(kContexts, place(key));
    EXPECT_TRUE(found) << found.error().to_string();
    return found ? *std::move(found) : std::nullopt;
}

std::optional<std::int64_t> ExistingInstance::value(const std::string& key) {
    const auto document = find(key);
    return document ? document->view().number("data.value") : std::nullopt;
}

}  // namespace dyad::test
