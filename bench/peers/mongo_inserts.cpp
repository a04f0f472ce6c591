// mongo_inserts: what bare libmongoc inserts reach of the documents that a server wrote.
//
//     mongo_inserts --url U --from DATABASE --to DATABASE --threads N --batch N --secs S
//
// Reads events of `sync_events` of one database and inserts them into that of another one, which
// has the same indexes: each thread one insert at a time, of `batch` documents of one user, made
// durable as the server has it. Nothing but the user's name and the offset is changed, so that each
// is a new one. Prints {"events_per_s", "commands"}.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <mongoc/mongoc.h>
#include <unistd.h>

namespace {

constexpr const char* kEvents = "sync_events";
constexpr std::size_t kDocuments = 512;  // that are taken, again and again

using Clock = std::chrono::steady_clock;
using Document = std::unique_ptr<bson_t, void (*)(bson_t*)>;

struct Plan {
    std::string url;
    std::string from;
    std::string to;
    std::size_t threads = 16;
    std::size_t batch = 1;
    double seconds = 1;
};

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "mongo_inserts: %s\n", what.c_str());
    std::exit(1);
}

void run(mongoc_client_t* client, const std::string& database, const bson_t* command,
         bson_t* reply) {
    bson_error_t error{};
    bson_t answer;
    if (!mongoc_client_command_simple(client, database.c_str(), command, nullptr, &answer, &error))
        fail(error.message);
    bson_iter_t at;
    if (bson_iter_init_find(&at, &answer, "writeErrors") ||
        bson_iter_init_find(&at, &answer, "writeConcernError"))
        fail("a document was refused");
    if (reply != nullptr) bson_copy_to(&answer, reply);
    bson_destroy(&answer);
}

bool is_replica_set(mongoc_client_t* client) {
    bson_t* const command = BCON_NEW("hello", BCON_INT32(1));
    bson_t reply;
    run(client, "admin", command, &reply);
    const bool found = bson_has_field(&reply, "setName");
    bson_destroy(&reply);
    bson_destroy(command);
    return found;
}

// The indexes of the one collection for the other.
void copy_indexes(mongoc_client_t* client, const Plan& plan) {
    bson_t* const list = BCON_NEW("listIndexes", kEvents);
    bson_t reply;
    run(client, plan.from, list, &reply);
    bson_iter_t at;
    bson_iter_t indexes;
    if (!bson_iter_init(&at, &reply) ||
        !bson_iter_find_descendant(&at, "cursor.firstBatch", &indexes))
        fail("listIndexes has no answer");
    const std::uint8_t* bytes = nullptr;
    std::uint32_t size = 0;
    bson_iter_array(&indexes, &size, &bytes);
    bson_t array;
    if (!bson_init_static(&array, bytes, size)) fail("listIndexes has no answer");
    bson_t* const wanted = bson_new();
    int count = 0;
    bson_iter_init(&at, &array);
    while (bson_iter_next(&at)) {
        bson_t index;
        bson_iter_document(&at, &size, &bytes);
        bson_iter_t name;
        if (!bson_init_static(&index, bytes, size) || !bson_iter_init_find(&name, &index, "name"))
            fail("an index has no name");
        if (std::strcmp(bson_iter_utf8(&name, nullptr), "_id_") == 0) continue;
        const std::string key = std::to_string(count++);
        BSON_APPEND_DOCUMENT(wanted, key.c_str(), &index);
    }
    bson_t* const command = bson_new();
    BSON_APPEND_UTF8(command, "createIndexes", kEvents);
    BSON_APPEND_ARRAY(command, "indexes", wanted);
    run(client, plan.to, command, nullptr);
    for (bson_t* one : {command, wanted, list})
        bson_destroy(one);
    bson_destroy(&reply);
}

std::vector<Document> read_documents(mongoc_client_t* client, const Plan& plan) {
    std::vector<Document> documents;
    mongoc_collection_t* const from =
        mongoc_client_get_collection(client, plan.from.c_str(), kEvents);
    bson_t* const filter = bson_new();
    bson_t* const options =
        BCON_NEW("limit", BCON_INT64(kDocuments), "projection", "{", "_id", BCON_INT32(0), "}");
    mongoc_cursor_t* const cursor =
        mongoc_collection_find_with_opts(from, filter, options, nullptr);
    for (const bson_t* one = nullptr; mongoc_cursor_next(cursor, &one);)
        documents.emplace_back(bson_copy(one), bson_destroy);
    mongoc_cursor_destroy(cursor);
    bson_destroy(options);
    bson_destroy(filter);
    mongoc_collection_destroy(from);
    if (documents.empty()) fail("there is no event in " + plan.from);
    return documents;
}

// One thread: a user of its own, whose log grows.
class Writer {
  public:
    Writer(const Plan& plan, const std::vector<Document>& documents, bool replica_set,
           std::size_t number)
        : plan_(plan), documents_(documents), replica_set_(replica_set), next_(number * 31) {
        // As long as "room-7", and of this run alone.
        char name[32];
        std::snprintf(name, sizeof name, "%05x-%zu", static_cast<unsigned>(getpid()) & 0xfffff,
                      number);
        user_ = name;
    }

    void insert(mongoc_client_t* client) {
        bson_t* const list = bson_new();
        for (std::size_t i = 0; i < plan_.batch; ++i) {
            bson_t one;
            const std::string key = std::to_string(i);
            BSON_APPEND_DOCUMENT_BEGIN(list, key.c_str(), &one);
            append(&one, documents_[next_++ % documents_.size()].get());
            bson_append_document_end(list, &one);
        }
        bson_t* const command = bson_new();
        BSON_APPEND_UTF8(command, "insert", kEvents);
        BSON_APPEND_ARRAY(command, "documents", list);
        BSON_APPEND_BOOL(command, "ordered", true);
        bson_t concern;
        BSON_APPEND_DOCUMENT_BEGIN(command, "writeConcern", &concern);
        if (replica_set_)
            BSON_APPEND_UTF8(&concern, "w", "majority");
        else
            BSON_APPEND_INT32(&concern, "w", 1);
        BSON_APPEND_BOOL(&concern, "j", true);
        bson_append_document_end(command, &concern);
        run(client, plan_.to, command, nullptr);
        bson_destroy(command);
        bson_destroy(list);
    }

  private:
    void append(bson_t* out, const bson_t* document) {
        offset_ += 1;
        bson_iter_t at;
        bson_iter_init(&at, document);
        while (bson_iter_next(&at)) {
            const std::string name = bson_iter_key(&at);
            if (name == "userId")
                BSON_APPEND_UTF8(out, "userId", user_.c_str());
            else if (name == "offset")
                BSON_APPEND_INT64(out, "offset", offset_);
            else if (name == "operationId")
                BSON_APPEND_UTF8(out, "operationId", operation(bson_iter_utf8(&at, nullptr)));
            else
                bson_append_iter(out, nullptr, -1, &at);
        }
    }
    // As long as before, with the offset at its end.
    const char* operation(const char* before) {
        operation_ = before;
        const std::string own = "-" + std::to_string(offset_);
        if (operation_.size() > own.size()) operation_.resize(operation_.size() - own.size());
        operation_ += own;
        return operation_.c_str();
    }

    const Plan& plan_;
    const std::vector<Document>& documents_;
    const bool replica_set_;
    std::size_t next_;
    std::int64_t offset_ = 0;
    std::string user_;
    std::string operation_;
};

void measure(const Plan& plan) {
    mongoc_init();
    mongoc_uri_t* const uri = mongoc_uri_new(plan.url.c_str());
    if (uri == nullptr) fail("not a URL: " + plan.url);
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, false);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_MAXPOOLSIZE,
                                   static_cast<std::int32_t>(plan.threads));
    mongoc_client_pool_t* const pool = mongoc_client_pool_new(uri);
    mongoc_client_pool_set_error_api(pool, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_t* const client = mongoc_client_pool_pop(pool);
    const bool replica_set = is_replica_set(client);
    copy_indexes(client, plan);
    const std::vector<Document> documents = read_documents(client, plan);
    mongoc_client_pool_push(pool, client);

    std::atomic<std::size_t> commands{0};
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::duration<double>(plan.seconds);
    std::vector<std::thread> threads;
    for (std::size_t number = 0; number < plan.threads; ++number)
        threads.emplace_back([&, number] {
            mongoc_client_t* const own = mongoc_client_pool_pop(pool);
            Writer writer(plan, documents, replica_set, number);
            while (Clock::now() < end) {
                writer.insert(own);
                commands += 1;
            }
            mongoc_client_pool_push(pool, own);
        });
    for (std::thread& one : threads)
        one.join();
    const double took = std::chrono::duration<double>(Clock::now() - begin).count();
    std::printf("{\"events_per_s\":%.1f,\"commands\":%zu}\n",
                static_cast<double>(commands * plan.batch) / took, commands.load());
    mongoc_client_pool_destroy(pool);
    mongoc_uri_destroy(uri);
    mongoc_cleanup();
}

}  // namespace

int main(int count, char** words) {
    std::map<std::string, std::string> given = {
        {"--threads", "16"}, {"--batch", "1"}, {"--secs", "1"}};
    for (int i = 1; i + 1 < count; i += 2)
        given[words[i]] = words[i + 1];
    const Plan plan{.url = given["--url"],
                    .from = given["--from"],
                    .to = given["--to"],
                    .threads = std::strtoul(given["--threads"].c_str(), nullptr, 10),
                    .batch = std::strtoul(given["--batch"].c_str(), nullptr, 10),
                    .seconds = std::atof(given["--secs"].c_str())};
    if (plan.url.empty() || plan.from.empty() || plan.to.empty() || plan.threads == 0 ||
        plan.batch == 0)
        fail("--url, --from and --to are needed; --threads and --batch are not 0");
    measure(plan);
    return 0;
}
