// A database of its own for each test, on one server for the whole program; and an existing
// instance, which writes there as wire.md says that existing instances do.
#pragma once

#include "model/context.hpp"
#include "store/mongo/client.hpp"
#include "support/mongo_server.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace dyad::test {

class MongoDatabase : public ::testing::Test {
  protected:
    using Driver = std::unique_ptr<mongoc_client_t, void (*)(mongoc_client_t*)>;

    void SetUp() override;
    void TearDown() override;

    static MongoServer* server();  // null: it is missing
    static Driver connect();
    mongo::Client& client() { return *client_; }
    const std::string& database() const { return database_; }

  private:
    std::string database_;
    Driver driver_{nullptr, mongoc_client_destroy};
    std::optional<mongo::Client> client_;
};

// Does something right before the first command that `when` picks goes to the server, on the thread
// that asks: what comes between two commands of one job. Lifetime: within the client's.
class Before {
  public:
    using When = std::function<bool(mongo::BsonView command)>;
    Before(mongo::Client& client, When when, std::function<void()> act);
    ~Before();
    Before(const Before&) = delete;
    Before& operator=(const Before&) = delete;

    bool happened() const { return !act_; }
    // `command` on the collection, the member being there.
    static When is(std::string command, std::string collection, std::string member);

  private:
    static void started(const mongoc_apm_command_started_t* event);

    mongoc_client_t* driver_;
    When when_;
    std::function<void()> act_;
};

// What it writes is a number under a key, with its clock as the version.
class ExistingInstance {
  public:
    ExistingInstance(mongo::Client client, std::string user)
        : client_(std::move(client)), user_(std::move(user)) {}

    // Ways of writing a context, each as the npm driver does it.
    void update_one(const std::string& key, std::int64_t value);   // $set, where one stands
    void replace_one(const std::string& key, std::int64_t value);  // upsert
    void insert_one(const std::string& key, std::int64_t value);
    void delete_one(const std::string& key);
    // findOneAndUpdate with upsert; answers with the number that stood there.
    std::optional<std::int64_t> exchange(const std::string& key, std::int64_t value);

    std::optional<mongo::Bson> find(const std::string& key);
    std::optional<std::int64_t> value(const std::string& key);

    std::int64_t now_ms = 1'800'000'000'000;

  private:
    mongo::Bson fields(std::int64_t value);
    mongo::Bson place(const std::string& key) const;
    void run(const mongo::Bson& command);

    mongo::Client client_;
    std::string user_;
};

}  // namespace dyad::test
