# A history with a merge: its commits' names, differences, packs and archives.
for role in AUTHOR COMMITTER; do
    export GIT_${role}_NAME=A GIT_${role}_EMAIL=a@b GIT_${role}_DATE='1000000000 +0000'
done
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TEMPLATE_DIR= GIT_PAGER=cat
mkdir work; cd work; git init -q -b main; git config pack.threads 1; git config gc.auto 0
head -400 > a; head -50 a > b; git add .; git commit -qm one
sed -i 's/line 7/LINE 7/;40d' a; git commit -qam two
git checkout -qb side HEAD~1; echo end >> b; git commit -qam three
git checkout -q main; git merge -q side -m four
git log --graph --stat --format='%H %T %s'; git diff HEAD~1 HEAD; git diff --word-diff HEAD~2 | head -20; git blame -l b | tail -3
git cat-file -p HEAD; git ls-tree -r HEAD; git grep -c 'line 9'; git shortlog -s HEAD; git describe --always
git rev-list --objects --all | git pack-objects --threads=1 -q p; sha1sum p-*.pack; git archive HEAD | sha1sum; git archive --format=tgz HEAD | sha1sum
git fsck --strict; git bundle create -q x main; git bundle verify -q x; git format-patch --stdout --zero-commit --no-signature HEAD~2 | sha1sum
git tag -am tag v1; git rev-parse v1; git stash list; git status --short
